"""Optuna, a nested MLflow run a trial."""

# %%
import mlflow
import optuna
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier

digits = load_digits()
X, y = digits.data / 16, digits.target


def objective(trial):
    with mlflow.start_run(nested=True, run_name=f"trial-{trial.number}"):
        alpha = trial.suggest_float("alpha", 1e-5, 1e-1, log=True)
        mlflow.log_param("alpha", alpha)
        model = SGDClassifier(loss="log_loss", alpha=alpha, random_state=0)
        for epoch in range(2):
            model.partial_fit(X[:1200], y[:1200], classes=range(10))
            mlflow.log_metric("val_acc", model.score(X[1200:], y[1200:]), step=epoch)
    return model.score(X[1200:], y[1200:])


# %%
study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
study.optimize(objective, n_trials=2)
mlflow.log_metric("best_value", study.best_value)

# %%
curves = {"best_value": [(0, study.best_value)]}
