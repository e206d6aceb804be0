"""Figures of data, training and predictions, and of what happens inside a model.

Each function returns a new `matplotlib.figure.Figure`. pyplot's global state is not used, so figures can be made
without a display and in any thread. All take `style="light"` or `"dark"`, for the page that will contain the figure.
`save_figure` writes a figure to a file.
"""

from .classification import plot_classification_report, plot_confusion_matrix
from .comparison import plot_comparison
from .confidence import plot_calibration, plot_class_cutoff_curves, plot_cutoff_curves
from .flow import plot_flow
from .history import plot_history, plot_learning_curves
from .images import plot_confident_mistakes, plot_samples
from .maps import plot_activations, plot_gradients, plot_kernels
from .pixels import plot_pixel_summary
from .roc import plot_roc_curves
from .styles import save_figure

__all__ = [
    "plot_activations",
    "plot_calibration",
    "plot_class_cutoff_curves",
    "plot_classification_report",
    "plot_comparison",
    "plot_confident_mistakes",
    "plot_confusion_matrix",
    "plot_cutoff_curves",
    "plot_flow",
    "plot_gradients",
    "plot_history",
    "plot_kernels",
    "plot_learning_curves",
    "plot_pixel_summary",
    "plot_roc_curves",
    "plot_samples",
    "save_figure",
]
