from typing import Any

from cvtrack_magics.capture.params.seeds import loader_generator as loader_generator
from cvtrack_magics.capture.params.seeds import seed_worker as seed_worker
from cvtrack_magics.commands.checkpoint import checkpoint as checkpoint
from cvtrack_magics.commands.gate_history import gate_history as gate_history
from cvtrack_magics.commands.gate_history import gate_rollback as gate_rollback
from cvtrack_magics.commands.log import log as log
from cvtrack_magics.commands.mlaugment import mlaugment as mlaugment
from cvtrack_magics.commands.mlautolog import mlautolog as mlautolog
from cvtrack_magics.commands.mlbench import mlbench as mlbench
from cvtrack_magics.commands.mlbest import mlbest as mlbest
from cvtrack_magics.commands.mlcam import mlcam as mlcam
from cvtrack_magics.commands.mlcard import mlcard as mlcard
from cvtrack_magics.commands.mlcheck import mlcheck as mlcheck
from cvtrack_magics.commands.mlcompare import mlcompare as mlcompare
from cvtrack_magics.commands.mlconfig import mlconfig as mlconfig
from cvtrack_magics.commands.mldata import mldata as mldata
from cvtrack_magics.commands.mlend import mlend as mlend
from cvtrack_magics.commands.mlenv import mlenv as mlenv
from cvtrack_magics.commands.mleval import mleval as mleval
from cvtrack_magics.commands.mlexperiment import mlexperiment as mlexperiment
from cvtrack_magics.commands.mlexport import mlexport as mlexport
from cvtrack_magics.commands.mlgate import mlgate as mlgate
from cvtrack_magics.commands.mlgrid import log_predictions as log_predictions
from cvtrack_magics.commands.mlgrid import mlgrid as mlgrid
from cvtrack_magics.commands.mlhelp import mlhelp as mlhelp
from cvtrack_magics.commands.mlload import mlload as mlload
from cvtrack_magics.commands.mlmodel import mlmodel as mlmodel
from cvtrack_magics.commands.mlparams import mlparams as mlparams
from cvtrack_magics.commands.mlrun import mlrun as mlrun
from cvtrack_magics.commands.mlruns import mlruns as mlruns
from cvtrack_magics.commands.mlseed import mlseed as mlseed
from cvtrack_magics.commands.mlshow import mlshow as mlshow
from cvtrack_magics.commands.mlsweep import mlsweep as mlsweep
from cvtrack_magics.commands.mlsync import mlsync as mlsync
from cvtrack_magics.commands.mltags import mltags as mltags
from cvtrack_magics.commands.track import track as track
from cvtrack_magics.errors import ChecklistNotMet as ChecklistNotMet
from cvtrack_magics.errors import CvtrackError as CvtrackError
from cvtrack_magics.errors import ExportRefused as ExportRefused
from cvtrack_magics.errors import FilesAltered as FilesAltered
from cvtrack_magics.errors import GateRefused as GateRefused
from cvtrack_magics.errors import ImpureModel as ImpureModel
from cvtrack_magics.errors import NotAsMeasured as NotAsMeasured
from cvtrack_magics.errors import NotIdentified as NotIdentified
from cvtrack_magics.errors import PromotionBusy as PromotionBusy
from cvtrack_magics.errors import PromotionConflict as PromotionConflict
from cvtrack_magics.errors import PromotionError as PromotionError
from cvtrack_magics.errors import PromotionLost as PromotionLost
from cvtrack_magics.errors import StoreUnavailable as StoreUnavailable
from cvtrack_magics.errors import UsageProblem as UsageProblem
from cvtrack_magics.tasks.predictions import Predictions as Predictions

__version__: str

def load_ipython_extension(shell: Any) -> None: ...
def unload_ipython_extension(shell: Any) -> None: ...
