"""All of MLflow's public calls that have to do with a run, and what becomes of each.

While a run of ours is open, a call on it is one of these kinds. A method of ``MlflowClient``
that has a run in its signature and is not here fails a test, and so does a function of
``mlflow`` that is not here.

========== ===================================== ==============================================
kind       store well, slow, hung or gone        run on disk only
========== ===================================== ==============================================
``JOURNAL`` written down; returns at once         the same
``MADE_OF`` made of calls of the other kinds      the same
``READ``    waits at most 10 s for what was       what is known here
            written, then asks once, at most
            20 s; what is known here if nothing
            answers
``LIFE``    see :class:`~cvtrack_magics.store.calls.Calls`: opened on disk where the store is
            away; the end is written down
``ASKS``    MLflow's own way: its answer is the    raises as MLflow does
            store's to give
``LOCAL``   asks no store; ``get_artifact_uri``   the same
            waits where no server stands between
            this process and the files
========== ===================================== ==============================================
"""

from __future__ import annotations

from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["JOURNAL", "MADE_OF", "READ", "LIFE", "ASKS", "LOCAL"]

_CLIENT: dict[Kind, str] = {
    "JOURNAL": """
        log_metric log_batch log_param set_tag delete_tag update_run log_artifact log_artifacts
        log_image log_table log_inputs log_outputs link_traces_to_run unlink_traces_from_run
    """,
    "MADE_OF": "log_text log_dict log_figure log_stream",
    "READ": """
        get_run get_parent_run get_metric_history list_artifacts download_artifacts search_runs
        load_table
    """,
    "LIFE": "create_run set_terminated",
    "ASKS": """
        delete_run restore_run create_model_version create_logged_model start_trace
        search_traces link_prompt_version_to_run detach_prompt_from_run list_logged_prompts
        refresh_mcp_server_version_tools
    """,
}

_FLUENT: dict[Kind, str] = {
    "MADE_OF": """
        log_artifact log_artifacts log_dict log_figure log_image log_input log_inputs log_metric
        log_metrics log_outputs log_param log_params log_stream log_table log_text set_tag
        set_tags delete_tag get_run get_parent_run search_runs load_table start_run end_run
    """,
    "LOCAL": """
        get_artifact_uri active_run last_active_run autolog clear_active_model get_active_model_id
        set_active_model last_logged_model
    """,
    "ASKS": """
        delete_run restore_run create_experiment delete_experiment delete_experiment_tag
        restore_experiment set_experiment set_experiment_tag set_experiment_tags get_experiment
        get_experiment_by_name search_experiments create_external_model delete_logged_model_tag
        finalize_logged_model get_logged_model import_checkpoints initialize_logged_model
        log_model_params search_logged_models set_logged_model_tags flush_async_logging
        flush_artifact_async_logging flush_trace_async_logging
    """,
}


def _by_name(kinds: dict[Kind, str]) -> dict[str, Kind]:
    return {name: kind for kind, names in kinds.items() for name in names.split()}


CLIENT: dict[str, Kind] = _by_name(_CLIENT)
"""Methods of ``MlflowClient`` with a run in their signature."""
FLUENT: dict[str, Kind] = _by_name(_FLUENT)
"""Functions of ``mlflow`` for the active run, and their neighbours."""
