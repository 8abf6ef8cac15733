"""The original study's script, as it stands but for a clock around each of its four runs."""

import json
import statistics
import time

from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from tensorflow.keras import layers, models

X, y = make_classification(n_samples=1000, n_features=20, n_informative=10, n_classes=2, random_state=42)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=42)

scaler = StandardScaler()
X_train = scaler.fit_transform(X_train)
X_test = scaler.transform(X_test)


def create_model(initializer):
    model = models.Sequential(
        [
            layers.Dense(64, activation="relu", kernel_initializer=initializer, input_dim=X_train.shape[1]),
            layers.Dense(32, activation="relu", kernel_initializer=initializer),
            layers.Dense(1, activation="sigmoid", kernel_initializer=initializer),
        ]
    )
    return model


seconds = []
for initializer_name in ["zeros", "random_normal", "glorot_normal", "he_normal"]:
    began = time.perf_counter()
    model = create_model(initializer_name)
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    history = model.fit(
        X_train, y_train, epochs=10, batch_size=32, validation_data=(X_test, y_test), verbose=0
    )
    test_loss, test_accuracy = model.evaluate(X_test, y_test, verbose=0)
    seconds.append(time.perf_counter() - began)
    print(f"Initializer: {initializer_name}\nTest Loss: {test_loss}, Test Accuracy: {test_accuracy}\n")

print(json.dumps({"run": statistics.median(seconds)}))
