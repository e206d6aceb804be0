"""Activations, softmax, dropout, and functions that move entries."""

from programs import normal, program


def elementwise(name, forward, backward, *shapes, **wrong):
    source = f"""
def forward(x):
    y = {forward}
    return y, (x, y)

def backward(dy, cache):
    x, y = cache
    dx = {backward}
    return dx
"""
    program(name, source, normal(*(shapes or ((4, 5),))), **wrong)


elementwise(
    "relu",
    "np.maximum(0, x)",
    "dy * (x > 0)",
    mask_forgotten=("dy * (x > 0)", "dy", "derivative-forgotten"),
    mask_alone=("dy * (x > 0)", "x > 0", "dy-forgotten"),
    dy_forgotten=("dy * (x > 0)", "(x > 0) * 1.0", "dy-forgotten|dy-not-used"),
    of_dy=("dy * (x > 0)", "dy * (dy > 0)", "masked-by-dy-alone|masked-by-dy"),
    of_both=("dy * (x > 0)", "dy * (x > 0) * (dy > 0)", "masked-by-dy-too"),
    inverted=("dy * (x > 0)", "dy * (x < 0)", "inverted-mask"),
    output=("dy * (x > 0)", "dy * y", "function-for-derivative"),
    threshold=("dy * (x > 0)", "dy * (x > 1)", "another-threshold"),
    relu_of_dy=("dy * (x > 0)", "np.maximum(0, dy)", "masked-by-dy"),
)
elementwise(
    "leaky relu",
    "np.where(x > 0, x, 0.1 * x)",
    "dy * np.where(x > 0, 1, 0.1)",
    slope_forgotten=("np.where(x > 0, 1, 0.1)", "(x > 0)", "slope-forgotten|x < 0 has the coefficient 0"),
    slope_of_x=("np.where(x > 0, 1, 0.1)", "np.where(x > 0, 1, 0.1 * x)", "slope-times-x"),
    exchanged=("np.where(x > 0, 1, 0.1)", "np.where(x > 0, 0.1, 1)", "branches-exchanged"),
    negative=("np.where(x > 0, 1, 0.1)", "np.where(x > 0, 1, -0.1)", "x < 0 has the coefficient −1"),
    another_slope=("np.where(x > 0, 1, 0.1)", "np.where(x > 0, 1, 0.01)", "another-slope"),
)
elementwise(
    "elu",
    "np.where(x > 0, x, 1.5 * (np.exp(x) - 1))",
    "dy * np.where(x > 0, 1, y + 1.5)",
    y_alone=("y + 1.5", "y", "elu-exponential"),
    alpha_forgotten=("y + 1.5", "np.exp(x)", "elu-alpha|coefficient 2/3"),
)
elementwise(
    "sigmoid",
    "1 / (1 + np.exp(-x))",
    "dy * y * (1 - y)",
    of_x=("y * (1 - y)", "x * (1 - x)", "formula-of-output-at-input"),
    one_factor=("dy * y * (1 - y)", "dy * (1 - y)", "wrong-derivative-sigmoid-1-y|e⁻ˣ|1 − y"),
    plus=("(1 - y)", "(1 + y)", "wrong-derivative"),
    output=("dy * y * (1 - y)", "dy * y", "function-for-derivative"),
    slope_alone=("dy * y * (1 - y)", "y * (1 - y)", "dy-forgotten|dy-not-used"),
    sign=("(1 - y)", "(y - 1)", "sign-flipped|wrong-derivative"),
    twice=("dy * y * (1 - y)", "dy * (y * (1 - y)) ** 2", "derivative-twice"),
    at_output=(
        "dy * y * (1 - y)",
        "dy * (1 / (1 + np.exp(-y))) * (1 - 1 / (1 + np.exp(-y)))",
        "derivative-at-output",
    ),
)
elementwise(
    "tanh",
    "np.tanh(x)",
    "dy * (1 - y ** 2)",
    not_squared=("1 - y ** 2", "1 - y", "wrong-derivative"),
    of_x=("1 - y ** 2", "1 - x ** 2", "formula-of-output-at-input|wrong-derivative"),
    plus=("1 - y ** 2", "1 + y ** 2", "wrong-derivative"),
    dy_added=("dy * (1 - y ** 2)", "dy + (1 - y ** 2)", "added-not-multiplied"),
    forgotten=("dy * (1 - y ** 2)", "dy", "derivative-forgotten"),
)
elementwise(
    "swish",
    "x / (1 + np.exp(-x))",
    "dy * (1 / (1 + np.exp(-x)) + y * (1 - 1 / (1 + np.exp(-x))))",
    product_rule_half=(
        "dy * (1 / (1 + np.exp(-x)) + y * (1 - 1 / (1 + np.exp(-x))))",
        "dy * (1 / (1 + np.exp(-x)))",
        "factor's derivative has the coefficient 0",
    ),
)
elementwise(
    "softplus",
    "np.log(1 + np.exp(x))",
    "dy / (1 + np.exp(-x))",
    other_sign=("dy / (1 + np.exp(-x))", "dy / (1 + np.exp(x))", "wrong-derivative"),
)
elementwise(
    "square",
    "x ** 2",
    "2 * x * dy",
    two_forgotten=("2 * x * dy", "x * dy", "factor.1/2|wrong-derivative-square-x|input-for-derivative"),
    dy_forgotten=("2 * x * dy", "2 * x", "dy-forgotten|dy-not-used"),
    of_dy=("2 * x * dy", "2 * dy", "wrong-derivative|derivative-at-dy"),
)
elementwise(
    "abs",
    "np.abs(x)",
    "dy * np.sign(x)",
    sign_forgotten=("dy * np.sign(x)", "dy", "derivative-forgotten|wrong-derivative"),
)
elementwise(
    "gelu",
    "x * 0.5 * (1 + np.vectorize(__import__('math').erf)(x / np.sqrt(2)))",
    "dy * (0.5 * (1 + np.vectorize(__import__('math').erf)(x / np.sqrt(2)))"
    " + x * np.exp(-0.5 * x ** 2) / np.sqrt(2 * np.pi))",
    density_forgotten=(
        " + x * np.exp(-0.5 * x ** 2) / np.sqrt(2 * np.pi)",
        "",
        "x times the factor's derivative has the coefficient 0",
    ),
)
elementwise(
    "selu",
    "1.0507 * np.where(x > 0, x, 1.67326 * (np.exp(x) - 1))",
    "dy * 1.0507 * np.where(x > 0, 1, 1.67326 * np.exp(x))",
    scale_forgotten=("dy * 1.0507 * ", "dy * ", "factor.0.9517"),
    alpha_forgotten=("1.67326 * np.exp(x))\n", "np.exp(x))\n", "x < 0 has the coefficient 0.5976"),
    exchanged=("np.where(x > 0, 1, 1.67326 * np.exp(x))", "np.where(x > 0, 1.67326 * np.exp(x), 1)", None),
)
elementwise(
    "a function nobody knows",
    "np.sin(3 * x) * x",
    "dy * (3 * np.cos(3 * x) * x + np.sin(3 * x))",
    inner_derivative=("3 * np.cos", "np.cos", None),
    negative=("dy * (3", "-dy * (3", "sign-flipped"),
    half=("dy * (3", "0.5 * dy * (3", "factor.1/2"),
    product_rule=("3 * np.cos(3 * x) * x + np.sin(3 * x)", "3 * np.cos(3 * x) * x", None),
)

elementwise(
    "softmax",
    "np.exp(x - x.max(1, keepdims=True)) / np.exp(x - x.max(1, keepdims=True)).sum(1, keepdims=True)",
    "y * (dy - (dy * y).sum(1, keepdims=True))",
    diagonal=("y * (dy - (dy * y).sum(1, keepdims=True))", "dy * y * (1 - y)", "diagonal-only"),
    no_sum=("y * (dy - (dy * y).sum(1, keepdims=True))", "y * dy", "sum-path-missing|coefficient 0"),
    plus=("dy - (dy", "dy + (dy", "Σ dy·y has the coefficient 1"),
    half=("dy - (dy", "dy - 0.5 * (dy", "coefficient −1/2"),
    not_weighted=("(dy * y).sum(1", "dy.sum(1", "sum-not-weighted"),
    wrong_axis=("(dy * y).sum(1,", "(dy * y).sum(0,", "sum-over-samples"),
    no_axis=("(dy * y).sum(1, keepdims=True)", "(dy * y).sum()", "sum-over-all"),
    mean=("(dy * y).sum(1,", "(dy * y).mean(1,", "mean-for-sum|coefficient −1/5"),
    y_forgotten=(
        "y * (dy - (dy * y).sum(1, keepdims=True))",
        "dy - (dy * y).sum(1, keepdims=True)",
        "output-factor-missing",
    ),
    crossentropy=("y * (dy - (dy * y).sum(1, keepdims=True))", "y - dy", "crossentropy-formula"),
    y_subtracted=("dy - (dy * y).sum(1, keepdims=True)", "dy - y", "output-subtracted"),
    zeros=("y * (dy - (dy * y).sum(1, keepdims=True))", "np.zeros_like(x)", "all-zeros"),
    first_row=(
        "y * (dy - (dy * y).sum(1, keepdims=True))",
        "(y * (dy - (dy * y).sum(1, keepdims=True)))[:1].repeat(len(x), 0)",
        "one-sample-for-all-first",
    ),
)
elementwise(
    "log softmax",
    "x - x.max(1, keepdims=True) - np.log(np.exp(x - x.max(1, keepdims=True)).sum(1, keepdims=True))",
    "dy - np.exp(y) * dy.sum(1, keepdims=True)",
    dy_alone=("dy - np.exp(y) * dy.sum(1, keepdims=True)", "dy", "log-sum-missing|derivative-forgotten"),
    no_sum=("dy - np.exp(y) * dy.sum(1, keepdims=True)", "dy - np.exp(y) * dy", "log-sum-weighted"),
    plus=("dy - np.exp", "dy + np.exp", "coefficient 1 instead of −1"),
    output=("np.exp(y)", "y", "log-output-for-probability"),
)

DROPOUT = """
def forward(x, param):
    np.random.seed(param["seed"])
    p = param["p"]
    mask = (np.random.rand(*x.shape) < p) / p
    return x * mask, (param, mask)

def backward(dout, cache):
    param, mask = cache
    p = param["p"]
    dx = dout * mask
    return dx
"""
program(
    "dropout of CS231n",
    DROPOUT,
    lambda rng: [rng.standard_normal((6, 5)), {"p": 0.7, "seed": 123, "mode": "train"}],
    forgotten=("dout * mask", "dout", "mask-forgotten|derivative-forgotten"),
    not_scaled=("dout * mask", "dout * (mask > 0)", "scale-forgotten"),
    scaled_twice=("dout * mask", "dout * mask / p", "scale-twice"),
    inverted=("dout * mask", "dout * (mask == 0) / p", "mask-inverted"),
    drawn_anew=("dout * mask", "dout * (np.random.rand(*dout.shape) < p) / p", "backward-not-repeatable|mask|drawn"),
    divided_by_the_rate=("dout * mask", "dout * (mask > 0) / (1 - p)", "rate-for-scale"),
)

elementwise(
    "softmax of three axes",
    "np.exp(x) / np.exp(x).sum(-1, keepdims=True)",
    "y * (dy - (dy * y).sum(-1, keepdims=True))",
    (2, 3, 4),
    another_axis=("(dy * y).sum(-1,", "(dy * y).sum(0,", "sum-over-another-axis-0"),
)
elementwise(
    "softmax at temperature 2",
    "np.exp(x / 2) / np.exp(x / 2).sum(-1, keepdims=True)",
    "y * (dy - (dy * y).sum(-1, keepdims=True)) / 2",
    temperature_forgotten=(") / 2\n", ")\n", "factor.2"),
)

program(
    "flatten channels first",
    """
def forward(x):
    return x.transpose(0, 2, 3, 1).reshape(len(x), -1), x.shape

def backward(dy, shape):
    N, C, H, W = shape
    return dy.reshape(N, H, W, C).transpose(0, 3, 1, 2)
""",
    normal((2, 3, 4, 5)),
    not_transposed=(
        "dy.reshape(N, H, W, C).transpose(0, 3, 1, 2)",
        "dy.reshape(shape)",
        "not-moved-back",
    ),
    wrong_transpose=(
        "dy.reshape(N, H, W, C).transpose(0, 3, 1, 2)",
        "dy.reshape(N, W, H, C).transpose(0, 3, 2, 1)",
        "order|places",
    ),
)
program(
    "zero padding",
    """
def forward(x):
    return np.pad(x, ((0, 0), (2, 2), (1, 1), (0, 0))), None

def backward(dy, cache):
    return dy[:, 2:-2, 1:-1]
""",
    normal((2, 4, 5, 2)),
    cropped_at_the_end=("dy[:, 2:-2, 1:-1]", "dy[:, :-4, :-2]", "crop|shift|place"),
    shape=("dy[:, 2:-2, 1:-1]", "dy", "shape"),
)
program(
    "upsampling",
    """
def forward(x):
    return x.repeat(2, axis=1).repeat(2, axis=2), x.shape

def backward(dy, shape):
    N, H, W, C = shape
    return dy.reshape(N, H, 2, W, 2, C).sum(axis=(2, 4))
""",
    normal((2, 3, 4, 2)),
    mean=(".sum(axis=(2, 4))", ".mean(axis=(2, 4))", "factor.1/4"),
    first=("dy.reshape(N, H, 2, W, 2, C).sum(axis=(2, 4))", "dy[:, ::2, ::2]", "one|first|some"),
)
program(
    "bias for each channel",
    """
def forward(x, b):
    return x + b[None, :, None, None], None

def backward(dout, cache):
    return dout, dout.sum(axis=(0, 2, 3))
""",
    normal((2, 3, 4, 5), (3,)),
    mean=(".sum(axis=(0, 2, 3))", ".mean(axis=(0, 2, 3))", "rows and columns|mean"),
    samples_not_summed=("dout.sum(axis=(0, 2, 3))", "dout[0].sum(axis=(1, 2))", "only-one-sample-first"),
    wrong_axes=("dout.sum(axis=(0, 2, 3))", "dout.sum(axis=(0, 1, 2))", "shape"),
)
