"""What is wrong with a model at step 0: rules over what was measured."""
