"""Dense layers: CS231n's affine layer, samples in columns, loops, with activations."""

from programs import normal, program

program(
    "affine of CS231n",
    """
def forward(x, w, b):
    out = x.reshape(x.shape[0], -1).dot(w) + b
    cache = (x, w, b)
    return out, cache

def backward(dout, cache):
    x, w, b = cache
    N = x.shape[0]
    dx = dout.dot(w.T).reshape(x.shape)
    dw = x.reshape(N, -1).T.dot(dout)
    db = np.sum(dout, axis=0)
    return dx, dw, db
""",
    normal((5, 2, 3), (6, 4), (4,)),
    mean_of_db=("np.sum(dout, axis=0)", "np.mean(dout, axis=0)", "mean-over-batch"),
    dw_divided=("x.reshape(N, -1).T.dot(dout)", "x.reshape(N, -1).T.dot(dout) / N", "mean-over-batch"),
    dx_divided=("dout.dot(w.T).reshape(x.shape)", "dout.dot(w.T).reshape(x.shape) / N", "mean-over-batch"),
    db_negative=("np.sum(dout, axis=0)", "-np.sum(dout, axis=0)", "sign-flipped"),
    db_of_all=("np.sum(dout, axis=0)", "np.full(4, np.sum(dout))", "bias-summed-over-all"),
    db_not_summed=("np.sum(dout, axis=0)", "dout", "not-summed"),
    db_first_sample=("np.sum(dout, axis=0)", "dout[0]", "only-one-sample-first"),
    db_last_sample=("np.sum(dout, axis=0)", "dout[-1]", "only-one-sample-last"),
    db_of_ones=("np.sum(dout, axis=0)", "np.ones(4) * N", "dy-not-used"),
    dw_of_ones=("T.dot(dout)", "T.dot(np.ones_like(dout))", "dy-not-used"),
    dw_twice=("dw = ", "dw = 2 * ", "factor.2"),
    dx_not_reshaped=("dout.dot(w.T).reshape(x.shape)", "dout.dot(w.T)", "not-reshaped"),
    dx_reshaped_in_fortran_order=(
        "dout.dot(w.T).reshape(x.shape)",
        "dout.dot(w.T).reshape(x.shape, order='F')",
        "order|places",
    ),
    returned_in_another_order=("return dx, dw, db", "return dw, dx, db", "wrong-shape|of-another-argument"),
    db_forgotten=("return dx, dw, db", "return dx, dw, None", "protocol.none"),
    dw_zero=("T.dot(dout)", "T.dot(0 * dout)", "all-zeros"),
    dw_plus_decay=("T.dot(dout)", "T.dot(dout) + 0.1 * w", "decay-added"),
    maximum_for_sum=("np.sum(dout, axis=0)", "np.max(dout, axis=0)", "bias-maximum"),
    absolute_dout=("np.sum(dout, axis=0)", "np.sum(np.abs(dout), axis=0)", "absolute-dy"),
    integer_gradient=(
        "dx = dout.dot(w.T).reshape(x.shape)",
        "dx = np.zeros(x.shape, dtype=int); dx[:] = dout.dot(w.T).reshape(x.shape)",
        "integers",
    ),
    clipped_gradient=(
        "dx = dout.dot(w.T).reshape(x.shape)",
        "dx = np.clip(dout.dot(w.T), -1, 1).reshape(x.shape)",
        "clipped",
    ),
)

program(
    "square dense layer",
    """
def forward(x, W):
    return x @ W, (x, W)

def backward(dy, cache):
    x, W = cache
    dx = dy @ W.T
    dW = x.T @ dy
    return dx, dW
""",
    normal((4, 4), (4, 4)),
    kernel_not_transposed=("dy @ W.T", "dy @ W", "kernel-untransposed"),
    x_not_transposed=("x.T @ dy", "x @ dy", "x-untransposed"),
    dw_transposed=("x.T @ dy", "dy.T @ x", "transposed"),
    swapped=("return dx, dW", "return dW, dx", "of-another-argument"),
    dw_of_output=("x.T @ dy", "(x @ W).T @ dy", "output-for-input"),
    sums_first=("x.T @ dy", "np.outer(x.sum(0), dy.sum(0))", "outer-of-sums"),
)

program(
    "samples in columns",
    """
def forward(A, W, b):
    Z = np.dot(W, A) + b
    return Z, (A, W, b)

def backward(dZ, cache):
    A, W, b = cache
    m = A.shape[1]
    dW = np.dot(dZ, A.T)
    db = np.sum(dZ, axis=1, keepdims=True)
    dA = np.dot(W.T, dZ)
    return {"dA": dA, "dW": dW, "db": db}
""",
    normal((3, 5), (4, 3), (4, 1)),
    dW_over_m=("np.dot(dZ, A.T)", "np.dot(dZ, A.T) / m", r"1/5|batch"),
    db_over_m=("np.sum(dZ, axis=1, keepdims=True)", "np.sum(dZ, axis=1, keepdims=True) / m", r"1/5|batch"),
    db_without_axis=("np.sum(dZ, axis=1, keepdims=True)", "np.sum(dZ) * np.ones_like(b)", "bias-summed-over-all"),
    db_flat=("np.sum(dZ, axis=1, keepdims=True)", "np.sum(dZ, axis=1)", "shape"),
    dA_negative=("np.dot(W.T, dZ)", "-np.dot(W.T, dZ)", "sign"),
)

program(
    "dense layer in loops",
    """
def forward(x, w, b):
    N, D = x.shape
    M = w.shape[1]
    y = np.zeros((N, M))
    for n, m in np.ndindex(N, M):
        y[n, m] = b[m]
        for d in range(D):
            y[n, m] += x[n, d] * w[d, m]
    return y, (x, w, b)

def backward(dy, cache):
    x, w, b = cache
    N, D = x.shape
    M = w.shape[1]
    dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros_like(b)
    for n in range(N):
        for m in range(M):
            db[m] += dy[n, m]
            for d in range(D):
                dx[n, d] += w[d, m] * dy[n, m]
                dw[d, m] += x[n, d] * dy[n, m]
    return [dx, dw, db]
""",
    normal((4, 3), (3, 2), (2,)),
    db_assigned=("db[m] += dy", "db[m] = dy", "only-one-sample-last"),
    dw_assigned=("dw[d, m] += x", "dw[d, m] = x", "only-one-sample-last"),
    dx_assigned=("dx[n, d] += w", "dx[n, d] = w", "only-one-of-axis-last-1"),
    one_sample_forgotten=("for n in range(N):", "for n in range(N - 1):", "loop-misses-one-last-0"),
    first_output_forgotten=("for m in range(M):", "for m in range(1, M):", "loop-misses-one-first-1"),
    x_of_the_first=("x[n, d] * dy[n, m]", "x[0, d] * dy[n, m]", "one-x-for-all"),
    dy_of_the_first=("dw[d, m] += x[n, d] * dy[n, m]", "dw[d, m] += x[n, d] * dy[0, m]", "dy-of-one-for-all-first-0"),
    dy_of_one_output=("dx[n, d] += w[d, m] * dy[n, m]", "dx[n, d] += w[d, m] * dy[n, 0]", "dy-of-one-for-all-first-1"),
    sign_of_dy=("db[m] += dy[n, m]", "db[m] += np.sign(dy[n, m])", "sign-of-dy"),
    last_input_forgotten=(
        "for d in range(D):\n                dx",
        "for d in range(D - 1):\n                dx",
        "index|input",
    ),
)

for activation, value, slope in (
    ("relu", "np.maximum(z, 0)", "(z > 0)"),
    ("sigmoid", "1 / (1 + np.exp(-z))", "y * (1 - y)"),
    ("tanh", "np.tanh(z)", "(1 - y ** 2)"),
):
    program(
        f"dense layer with {activation}",
        f"""
def forward(x, w, b):
    z = x @ w + b
    y = {value}
    return y, (x, w, z, y)

def backward(dy, cache):
    x, w, z, y = cache
    dz = dy * {slope}
    dx = dz @ w.T
    dw = x.T @ dz
    db = dz.sum(axis=0)
    return dx, dw, db
""",
        normal((6, 5), (5, 3), (3,)),
        activation_forgotten=(f"dy * {slope}", "dy", "activation-forgotten"),
        activation_forgotten_in_dw=("x.T @ dz", "x.T @ dy", "activation-forgotten"),
        activation_forgotten_in_db=("dz.sum", "dy.sum", "activation-forgotten"),
        value_for_slope=(f"dy * {slope}", "dy * y", "activation-for-derivative"),
        **(
            {
                "mask_of_dy": ("dy * (z > 0)", "dy * (dy > 0)", "masked-by-dy"),
                "mask_inverted": ("dy * (z > 0)", "dy * (z < 0)", "mask-inverted"),
            }
            if activation == "relu"
            else {
                "slope_twice": (f"dy * {slope}", f"dy * {slope} * {slope}", "activation-twice"),
                "formula_of_z": (f"dy * {slope}", f"dy * {slope.replace('y', 'z')}", "activation-formula-at-sum"),
            }
        ),
        **({"unsquared": ("1 - y ** 2", "1 - y", "unsquared")} if activation == "tanh" else {}),
    )

program(
    "a network of two layers",
    """
def forward(x, W1, b1, W2, b2):
    z = x @ W1 + b1
    h = np.maximum(0, z)
    return h @ W2 + b2, (x, W1, z, h, W2)

def backward(dy, cache):
    x, W1, z, h, W2 = cache
    dh = dy @ W2.T
    dz = dh * (z > 0)
    return dz @ W1.T, x.T @ dz, dz.sum(axis=0), h.T @ dy, dy.sum(axis=0)
""",
    normal((6, 3), (3, 5), (5,), (5, 2), (2,)),
    mask_forgotten=("dh * (z > 0)", "dh", "hidden-activation-forgotten"),
    mask_forgotten_in_db=("dz.sum(axis=0)", "dh.sum(axis=0)", "hidden-activation-forgotten-in-dbias1"),
    activation_for_mask=("dh * (z > 0)", "dh * h", "hidden-activation-for-derivative"),
    sum_for_activation=("h.T @ dy", "z.T @ dy", "sum-for-hidden-output"),
    activated_input=("x.T @ dz", "np.maximum(0, x).T @ dz", "activated-input"),
    mean_of_db=("dz.sum(axis=0)", "dz.mean(axis=0)", "mean-over-batch"),
)

program(
    "a layer with a shortcut",
    """
def forward(x, W):
    return x + np.tanh(x @ W), (x, W)

def backward(dy, cache):
    x, W = cache
    dz = dy * (1 - np.tanh(x @ W) ** 2)
    return dy + dz @ W.T, x.T @ dz
""",
    normal((5, 4), (4, 4)),
    shortcut_forgotten=("dy + dz @ W.T", "dz @ W.T", "added.missing"),
    shortcut_twice=("dy + dz @ W.T", "2 * dy + dz @ W.T", "added.too-much"),
    decay=("x.T @ dz", "x.T @ dz + 0.1 * W", "decay-added|added.too-much"),
)
