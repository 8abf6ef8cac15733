"""`fanin.diagnose` where people train: callbacks for Lightning, Keras and Hugging Face's Trainer.

Each module is named after the library that it is for, and imports it:
`from fanin.integrations.lightning import HealthCheck`. This one imports none.
"""
