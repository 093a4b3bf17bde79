"""Scikit-learn, epochs by partial_fit() that print."""

# %%
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss

digits = load_digits()
X, y = digits.data / 16, digits.target
curves = {}

# %%
curves.clear()
EPOCHS, ALPHA = 4, 1e-4
model = SGDClassifier(loss="log_loss", alpha=ALPHA, random_state=0)
for epoch in range(1, EPOCHS + 1):
    model.partial_fit(X[:1200], y[:1200], classes=range(10))
    loss, acc = log_loss(y[1200:], model.predict_proba(X[1200:])), model.score(X[1200:], y[1200:])
    print(f"Epoch {epoch}: val_loss = {loss:.4f}, val_acc = {acc:.4f}")
    curves.setdefault("sklearn/log_loss", []).append((epoch - 1, loss))
    curves.setdefault("printed/val_loss", []).append((epoch, loss))
    curves.setdefault("printed/val_acc", []).append((epoch, acc))

# %%
params = {"EPOCHS": 4, "ALPHA": 0.0001}
