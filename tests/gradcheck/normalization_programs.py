"""Batch and layer normalisation, and losses."""

import numpy as np
from programs import normal, program

STAGED = """
def forward(x, gamma, beta, param):
    eps = param["eps"]
    mu = x.mean(axis=0)
    xmu = x - mu
    var = (xmu ** 2).mean(axis=0)
    std = np.sqrt(var + eps)
    xhat = xmu / std
    out = gamma * xhat + beta
    return out, (x, xhat, xmu, std, var, gamma, eps)

def backward(dout, cache):
    x, xhat, xmu, std, var, gamma, eps = cache
    N, D = dout.shape
    dbeta = dout.sum(axis=0)
    dgamma = (dout * xhat).sum(axis=0)
    dxhat = dout * gamma
    dstd = -(dxhat * xmu).sum(axis=0) / std ** 2
    dvar = 0.5 * dstd / std
    dxmu = dxhat / std + 2 * xmu * dvar / N
    dmu = -dxmu.sum(axis=0)
    dx = dxmu + dmu / N
    return dx, dgamma, dbeta
"""
program(
    "batch norm of CS231n, staged",
    STAGED,
    lambda rng: [3 + 2 * rng.standard_normal((7, 4)), rng.standard_normal(4), rng.standard_normal(4), {"eps": 1e-5}],
    no_mean=("dx = dxmu + dmu / N", "dx = dxmu", "path-through-mean-missing|path through the mean"),
    no_variance=(" + 2 * xmu * dvar / N", "", "path-through-variance-missing|path through the variance"),
    neither=("dx = dxmu + dmu / N", "dx = dxhat / std", "both-paths-missing|paths"),
    half_forgotten=("0.5 * dstd", "dstd", "variance has the coefficient −2"),
    two_forgotten=("2 * xmu * dvar", "xmu * dvar", "variance has the coefficient −1/2"),
    variance_sign=("dstd = -(", "dstd = (", "variance has the coefficient 1 "),
    mean_sign=("dmu = -dxmu", "dmu = dxmu", "mean has the coefficient 1 "),
    not_divided_by_n=("dmu / N", "dmu", "mean has the coefficient"),
    gamma_forgotten=("dxhat = dout * gamma", "dxhat = dout", "gamma-forgotten"),
    std_power=("/ std ** 2", "/ std", "power"),
    std_forgotten=("dxmu = dxhat / std", "dxmu = dxhat", "direct-and-mean-path-not-divided"),
    root_forgotten=("0.5 * dstd / std", "dstd", "derivative-of-root-forgotten"),
    only_std=("dx = dxmu + dmu / N", "dx = dout / std", "only-divided-by-std"),
    dgamma_of_x=("(dout * xhat).sum", "(dout * x).sum", "dgamma-of-x"),
    dgamma_of_centred=("(dout * xhat).sum", "(dout * xmu).sum", "dgamma-of-centred"),
    dgamma_plain=("(dout * xhat).sum", "dout.sum", "dgamma-without-normalized"),
    dgamma_mean=("(dout * xhat).sum", "(dout * xhat).mean", "mean-over-batch"),
    dbeta_of_gamma=("dbeta = dout.sum(axis=0)", "dbeta = (dout * gamma).sum(axis=0)", "dbeta-of-gamma|factor gamma"),
    n_minus_one=("2 * xmu * dvar / N", "2 * xmu * dvar / (N - 1)", "variance has the coefficient|times what"),
    epsilon_forgotten=(
        "dstd = -(dxhat * xmu).sum(axis=0) / std ** 2",
        "std = np.sqrt(var); dstd = -(dxhat * xmu).sum(axis=0) / std ** 2",
        "epsilon",
    ),
)
program(
    "batch norm in one line",
    """
def forward(x, gamma, beta):
    mean, var = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
    xhat = (x - mean) / np.sqrt(var + 1e-5)
    return gamma[None, :, None, None] * xhat + beta[None, :, None, None], (x, xhat, var, gamma)

def backward(dy, cache):
    x, xhat, var, gamma = cache
    M = x.size // x.shape[1]
    axes = (0, 2, 3)
    dgamma = (dy * xhat).sum(axis=axes)
    dbeta = dy.sum(axis=axes)
    a = dbeta[None, :, None, None]
    g = dgamma[None, :, None, None]
    dx = gamma[None, :, None, None] / np.sqrt(var + 1e-5) * (dy - a / M - xhat * g / M)
    return dx, dgamma, dbeta
""",
    lambda rng: [rng.standard_normal((3, 2, 4, 5)), 1 + rng.random(2), rng.standard_normal(2)],
    batch_for_m=("M = x.size // x.shape[1]", "M = len(x)", "coefficient"),
    no_mean=(" - a / M", "", "path-through-mean|mean"),
    no_variance=(" - xhat * g / M", "", "path-through-variance|variance"),
    x_for_xhat=("- xhat * g", "- x * g", "x-for-normalized-before"),
    plus=("- xhat * g", "+ xhat * g", "variance has the coefficient 1"),
    root_forgotten=("np.sqrt(var + 1e-5) * (dy", "(var + 1e-5) * (dy", "variance-for-std"),
    gamma_forgotten=(
        "gamma[None, :, None, None] / np.sqrt(var + 1e-5) * (dy",
        "1 / np.sqrt(var + 1e-5) * (dy",
        "gamma-forgotten",
    ),
    epsilon_forgotten=(
        "gamma[None, :, None, None] / np.sqrt(var + 1e-5)",
        "gamma[None, :, None, None] / np.sqrt(var)",
        "epsilon",
    ),
)
program(
    "layer norm without parameters",
    """
def forward(x):
    xhat = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-3)
    return xhat, (x, xhat)

def backward(dy, cache):
    x, xhat = cache
    level, slope = dy.mean(axis=1, keepdims=True), (dy * xhat).mean(axis=1, keepdims=True)
    return (dy - level - xhat * slope) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-3)
""",
    normal((3, 5)),
    mean_path=("dy - level - xhat", "dy - xhat", "path-through-mean-missing"),
    sign=("- level", "+ level", "path through the mean has the coefficient"),
)
program(
    "layer norm",
    """
def forward(x, gamma, beta):
    mean, var = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    xhat = (x - mean) / np.sqrt(var + 1e-6)
    return gamma * xhat + beta, (x, xhat, var, gamma)

def backward(dy, cache):
    x, xhat, var, gamma = cache
    D = x.shape[1]
    d = dy * gamma
    dx = (d - d.mean(axis=1, keepdims=True) - xhat * (d * xhat).mean(axis=1, keepdims=True)) / np.sqrt(var + 1e-6)
    return dx, (dy * xhat).sum(axis=0), dy.sum(axis=0)
""",
    normal((5, 6), (6,), (6,)),
    gamma_forgotten=("d = dy * gamma", "d = dy", "gamma-forgotten"),
    wrong_axis_once=("d.mean(axis=1, keepdims=True) - xhat", "d.mean(axis=0) - xhat", "mean-of-dz-over-groups"),
    wrong_axis=(
        "d.mean(axis=1, keepdims=True) - xhat * (d * xhat).mean(axis=1, keepdims=True)",
        "d.mean(axis=0) - xhat * (d * xhat).mean(axis=0)",
        "mean-over-groups",
    ),
    gamma_at_the_end=("/ np.sqrt(var + 1e-6)\n", "/ np.sqrt(var + 1e-6) * gamma / gamma[0]\n", None),
    no_variance=(" - xhat * (d * xhat).mean(axis=1, keepdims=True)", "", "path-through-variance|variance"),
    dgamma_axis=("(dy * xhat).sum(axis=0)", "(dy * xhat).sum(axis=1)", "shape"),
    dgamma_of_y=("(dy * xhat).sum(axis=0)", "(dy * (gamma * xhat)).sum(axis=0)", "dgamma-times-gamma|factor gamma"),
)
program(
    "group norm of CS231n",
    """
def forward(x, gamma, beta):
    N, C, H, W = x.shape
    groups = x.reshape(N, 2, -1)
    mean, var = groups.mean(axis=2, keepdims=True), groups.var(axis=2, keepdims=True)
    xhat = (groups - mean) / np.sqrt(var + 1e-5)
    return gamma * xhat.reshape(x.shape) + beta, (xhat, var, gamma, x.shape)

def backward(dy, cache):
    xhat, var, gamma, shape = cache
    dgamma = (dy * xhat.reshape(shape)).sum(axis=(0, 2, 3), keepdims=True)
    d = (dy * gamma).reshape(xhat.shape)
    level, tilt = d.mean(axis=2, keepdims=True), (d * xhat).mean(axis=2, keepdims=True)
    dx = (d - level - xhat * tilt) / np.sqrt(var + 1e-5)
    return dx.reshape(shape), dgamma, dy.sum(axis=(0, 2, 3), keepdims=True)
""",
    normal((2, 4, 3, 2), (1, 4, 1, 1), (1, 4, 1, 1)),
    no_mean=("d - level", "d", "path-through-mean-missing"),
    no_variance=(" - xhat * tilt", "", "path-through-variance-missing"),
    gamma_forgotten=("(dy * gamma).reshape", "dy.reshape", "gamma-forgotten"),
)
program(
    "root mean square norm",
    """
def forward(x, g):
    r = np.sqrt((x ** 2).mean(axis=1, keepdims=True) + 1e-6)
    return g * x / r, (x, g, r)

def backward(dy, cache):
    x, g, r = cache
    d = dy * g
    return d / r - x * (d * x).mean(axis=1, keepdims=True) / r ** 3, (dy * x / r).sum(axis=0)
""",
    normal((4, 5), (5,)),
    no_path=(" - x * (d * x).mean(axis=1, keepdims=True) / r ** 3", "", "variance has the coefficient 0"),
    dg_of_x=("(dy * x / r).sum", "(dy * x).sum", "dgamma-of-x"),
)
program(
    "centring",
    """
def forward(x):
    return x - x.mean(axis=0), None

def backward(dy, cache):
    return dy - dy.mean(axis=0)
""",
    normal((5, 3)),
    dy=("dy - dy.mean(axis=0)", "dy", "path-through-mean-missing|derivative-forgotten"),
    plus=("dy - dy.mean", "dy + dy.mean", "coefficient 1 instead of −1"),
    axis=("dy.mean(axis=0)", "dy.mean(axis=1, keepdims=True)", "mean-over-groups|axis"),
    sum=("dy.mean(axis=0)", "dy.sum(axis=0)", "sums-not-divided|coefficient −N"),
)
program(
    "batch norm in inference",
    """
def forward(x, gamma, beta, statistics):
    mean, var = statistics["mean"], statistics["var"]
    xhat = (x - mean) / np.sqrt(var + 1e-5)
    return gamma * xhat + beta, (xhat, gamma, var)

def backward(dy, cache):
    xhat, gamma, var = cache
    std = np.sqrt(var + 1e-5)
    dx = dy * gamma / std
    return dx, (dy * xhat).sum(axis=0), dy.sum(axis=0)
""",
    lambda rng: [
        rng.standard_normal((6, 3)),
        rng.standard_normal(3),
        rng.standard_normal(3),
        {"mean": rng.standard_normal(3), "var": rng.random(3) + 0.5},
    ],
    training_formula=(
        "dx = dy * gamma / std",
        "d = dy * gamma; dx = (d - d.mean(axis=0) - xhat * (d * xhat).mean(axis=0)) / std",
        "training-formula-in-inference",
    ),
    std_forgotten=("dy * gamma / std", "dy * gamma", "fixed-std-forgotten"),
    variance=("dy * gamma / std", "dy * gamma / var", None),
)


def classes(rng):
    return [rng.standard_normal((5, 4)), rng.integers(0, 4, 5)]


program(
    "softmax loss of CS231n",
    """
def forward(x, y):
    shifted = x - x.max(axis=1, keepdims=True)
    probs = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    N = len(x)
    loss = -np.log(probs[np.arange(N), y]).sum() / N
    dx = probs.copy()
    dx[np.arange(N), y] -= 1
    dx /= N
    return loss, dx
""",
    classes,
    target_forgotten=("    dx[np.arange(N), y] -= 1\n", "", "target-not-subtracted|−target has the coefficient 0"),
    not_divided=("    dx /= N\n", "", "batch-mean-forgotten"),
    divided_by_size=("dx /= N", "dx /= x.size", "factor.1/4|entries per sample"),
    columns=("dx[np.arange(N), y] -= 1", "dx[:, y] -= 1", "columns-of-all-targets|column"),
    plus=("dx[np.arange(N), y] -= 1", "dx[np.arange(N), y] += 1", "−target has the coefficient −1"),
    logits=("dx = probs.copy()", "dx = x.copy()", "logits-for-probabilities"),
    divided_first=(
        "    dx[np.arange(N), y] -= 1\n    dx /= N\n",
        "    dx /= N\n    dx[np.arange(N), y] -= 1\n",
        "divided-before-target|coefficient",
    ),
    only_target=("dx = probs.copy()", "dx = probs * np.eye(4)[y]", "probabilities-at-target-only"),
    next_class=("dx[np.arange(N), y] -= 1", "dx[np.arange(N), (y + 1) % 4] -= 1", "target-shifted"),
    negative=("return loss, dx", "return loss, -dx", "sign-flipped"),
    wrong_axis=("dx = probs.copy()", "dx = np.exp(x) / np.exp(x).sum(axis=0)", "softmax-over-samples"),
    not_normalized=("dx = probs.copy()", "dx = np.exp(x)", "exponentials-not-normalized"),
)
program(
    "likelihood of log-probabilities",
    """
def forward(log_p, y):
    return -log_p[np.arange(len(y)), y].mean(), (log_p, y)

def backward(cache):
    log_p, y = cache
    d = np.zeros_like(log_p)
    d[np.arange(len(y)), y] = -1 / len(y)
    return d
""",
    lambda rng: [np.log(rng.dirichlet(np.ones(4), 5)), rng.integers(0, 4, 5)],
    of_logits=("d = np.zeros_like(log_p)", "d = np.exp(log_p) / len(y)", None),
    softmax_formula=(
        "d = np.zeros_like(log_p)\n    d[np.arange(len(y)), y] = -1 / len(y)",
        "d = np.exp(log_p) / len(y)\n    d[np.arange(len(y)), y] -= 1 / len(y)",
        "logits-formula-for-logarithms",
    ),
    not_divided=("-1 / len(y)", "-1", "batch-mean-forgotten"),
)
program(
    "hinge loss of CS231n",
    """
def forward(x, y):
    N = len(x)
    correct = x[np.arange(N), y]
    margins = np.maximum(0, x - correct[:, None] + 1.0)
    margins[np.arange(N), y] = 0
    loss = margins.sum() / N
    num_pos = (margins > 0).sum(axis=1)
    dx = np.zeros_like(x)
    dx[margins > 0] = 1
    dx[np.arange(N), y] -= num_pos
    dx /= N
    return loss, dx
""",
    classes,
    right_class_forgotten=("    dx[np.arange(N), y] -= num_pos\n", "", "right-class-forgotten|coefficient 0"),
    right_class_once=("-= num_pos", "-= 1", "right-class-minus-one|right-class-once"),
    margins=("dx[margins > 0] = 1", "dx[margins > 0] = margins[margins > 0]", "margin"),
    not_divided=("    dx /= N\n", "", "batch-mean-forgotten"),
    all_classes=("dx[margins > 0] = 1", "dx[:] = 1", "all-classes"),
    sign=("-= num_pos", "+= num_pos", "right class has the coefficient −1"),
)
program(
    "mean squared error",
    """
def forward(p, t):
    return np.mean((p - t) ** 2), (p, t)

def backward(cache):
    p, t = cache
    return 2 * (p - t) / p.size
""",
    normal((4, 3), (4, 3)),
    two_forgotten=("2 * (p - t)", "(p - t)", "factor.1/2"),
    not_divided=(" / p.size", "", "N|size|mean"),
    divided_by_n=("/ p.size", "/ len(p)", "factor.3|entries per sample"),
    sign=("(p - t) / p", "(t - p) / p", "sign-flipped"),
    absolute=("2 * (p - t)", "2 * np.abs(p - t)", "error-absolute"),
    plus=("2 * (p - t)", "2 * (p + t)", "target has the coefficient −1"),
    power=("2 * (p - t)", "2 * (p - t) ** 2", "error-squared-doubled"),
    target_forgotten=("2 * (p - t)", "2 * p", "prediction-for-error|coefficient 0"),
)
program(
    "binary cross-entropy",
    """
def forward(p, y):
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)), (p, y)

def backward(cache):
    p, y = cache
    return (p - y) / (p * (1 - p)) / p.size
""",
    lambda rng: [rng.uniform(0.1, 0.9, (6, 1)), np.array([[0.0], [1], [1], [0], [1], [0]])],
    logits=("(p - y) / (p * (1 - p)) / p.size", "(p - y) / p.size", "binary-logits-formula"),
    positive_alone=("(p - y) / (p * (1 - p))", "-y / p", "coefficient 0"),
    minus=("(p - y) / (p * (1 - p))", "(-y / p - (1 - y) / (1 - p))", "coefficient −1"),
    mean_forgotten=(" / p.size", "", "batch-mean-forgotten"),
    one_factor=("/ (p * (1 - p))", "/ p", "binary-one-factor"),
)
program(
    "Huber loss",
    """
def forward(p, t):
    e = p - t
    return np.where(np.abs(e) <= 1.0, 0.5 * e ** 2, np.abs(e) - 0.5).sum() / len(p), (p, t)

def backward(cache):
    p, t = cache
    e = p - t
    return np.where(np.abs(e) <= 1.0, e, np.sign(e)) / len(p)
""",
    lambda rng: [2 * rng.standard_normal((6, 2)), rng.standard_normal((6, 2))],
    exchanged=(
        "np.where(np.abs(e) <= 1.0, e, np.sign(e)) / len(p)",
        "np.where(np.abs(e) <= 1.0, np.sign(e), e) / len(p)",
        "huber-branches",
    ),
    not_limited=("np.where(np.abs(e) <= 1.0, e, np.sign(e)) / len(p)", "e / len(p)", "huber-not-limited"),
    another_delta=("np.where(np.abs(e) <= 1.0, e, np.sign(e)) / len(p)", "np.clip(e, -2, 2) / len(p)", "another-delta"),
    half=(
        "np.where(np.abs(e) <= 1.0, e, np.sign(e)) / len(p)",
        "np.where(np.abs(e) <= 1.0, 2 * e, np.sign(e)) / len(p)",
        "quadratic part has the coefficient 2",
    ),
    sign=(
        "np.where(np.abs(e) <= 1.0, e, np.sign(e)) / len(p)",
        "np.where(np.abs(e) <= 1.0, e, 1.0) / len(p)",
        "huber-sign",
    ),
    no_abs=(
        "np.where(np.abs(e) <= 1.0, e, np.sign(e)) / len(p)",
        "np.where(e <= 1.0, e, np.sign(e)) / len(p)",
        "huber-condition",
    ),
)
