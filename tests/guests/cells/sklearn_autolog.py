"""Scikit-learn under mlflow.sklearn.autolog()."""

# %%
import mlflow
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

digits = load_digits()
X, y = digits.data / 16, digits.target

# %%
mlflow.sklearn.autolog(log_models=False)
model = LogisticRegression(C=0.5, max_iter=200)
model.fit(X[:1200], y[:1200])
accuracy = model.score(X[1200:], y[1200:])

# %%
curves = {}
params = {"C": 0.5, "max_iter": 200}
