"""Convolution and pooling: loops and im2col, channels first and last."""

from programs import program

CS231N = """
def forward(x, w, b, param):
    stride, pad = param["stride"], param["pad"]
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    OH, OW = 1 + (H + 2 * pad - HH) // stride, 1 + (W + 2 * pad - WW) // stride
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out = np.zeros((N, F, OH, OW))
    for n, f, i, j in np.ndindex(out.shape):
        si, sj = i * stride, j * stride
        out[n, f, i, j] = np.sum(xp[n, :, si:si+HH, sj:sj+WW] * w[f]) + b[f]
    return out, (x, w, b, param)

def backward(dout, cache):
    x, w, b, param = cache
    stride, pad = param["stride"], param["pad"]
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    OH, OW = dout.shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dxp, dw, db = np.zeros_like(xp), np.zeros_like(w), np.zeros_like(b)
    for n in range(N):
        for f in range(F):
            for i in range(OH):
                for j in range(OW):
                    si, sj = i * stride, j * stride
                    window = xp[n, :, si:si+HH, sj:sj+WW]
                    db[f] += dout[n, f, i, j]
                    dw[f] += window * dout[n, f, i, j]
                    dxp[n, :, si:si+HH, sj:sj+WW] += w[f] * dout[n, f, i, j]
    dx = dxp[:, :, pad:pad+H, pad:pad+W]
    return dx, dw, db
"""


def images(x, w, stride, pad):
    return lambda rng: [
        rng.standard_normal(x),
        rng.standard_normal(w),
        rng.standard_normal(w[0]),
        {"stride": stride, "pad": pad},
    ]


LOOP_MISTAKES = {
    "dx_assigned": ("sj:sj+WW] += w[f]", "sj:sj+WW] = w[f]", "assigned"),
    "dw_assigned": ("dw[f] += window", "dw[f] = window", "dkernel-assigned"),
    "db_assigned": ("db[f] += dout", "db[f] = dout", "dbias-assigned"),
    "kernel_flipped": ("+= w[f] * dout", "+= w[f, :, ::-1, ::-1] * dout", "kernel-flipped-0-1"),
    "padding_not_removed": ("dxp[:, :, pad:pad+H, pad:pad+W]", "dxp[:, :, :H, :W]", "padding-removed-at-wrong-place"),
    "window_of_x": (
        "window = xp[n, :, si:si+HH, sj:sj+WW]",
        "window = np.pad(x, ((0, 0), (0, 0), (0, 2 * pad), (0, 2 * pad)))[n, :, si:si+HH, sj:sj+WW]",
        "without-padding",
    ),
    "last_sample_forgotten": ("for n in range(N):", "for n in range(N - 1):", "loop-misses-one-last-0"),
    "last_row_forgotten": ("for i in range(OH):", "for i in range(OH - 1):", "loop-misses-one-last-2"),
    "last_column_forgotten": ("for j in range(OW):", "for j in range(OW - 1):", "loop-misses-one-last-3"),
    "x_of_the_first": ("window = xp[n,", "window = xp[0,", "dkernel-one-x-for-all-first"),
    "first_filter_for_all": ("+= w[f] * dout", "+= w[0] * dout", "kernel-of-one-filter-first"),
    "db_of_ones": ("db[f] += dout[n, f, i, j]", "db[f] += 1", "dy-not-used"),
    "db_over_n": ("    return dx, dw, db", "    return dx, dw, db / N", "mean-over-batch"),
    "dw_over_n": ("    return dx, dw, db", "    return dx, dw / N, db", "mean-over-batch"),
    "dx_negative": ("    return dx, dw, db", "    return -dx, dw, db", "sign-flipped"),
    "dw_flipped": ("    return dx, dw, db", "    return dx, dw[:, :, ::-1, ::-1], db", "dkernel-flipped"),
    "dw_squared": ("dw[f] += window * dout[n, f, i, j]", "dw[f] += window * dout[n, f, i, j] ** 2", "dy-used-twice"),
    "padding_still_there": ("dxp[:, :, pad:pad+H, pad:pad+W]", "dxp", "shape"),
}

program("convolution of CS231n", CS231N, images((2, 3, 5, 6), (4, 3, 3, 3), 1, 1), **LOOP_MISTAKES)
program(
    "convolution of CS231n with stride 2",
    CS231N,
    images((2, 2, 7, 6), (3, 2, 3, 3), 2, 1),
    stride_forgotten_in_dx=(
        "dxp[n, :, si:si+HH, sj:sj+WW]",
        "dxp[n, :, i:i+HH, j:j+WW]",
        "dx-stride-ignored",
    ),
    stride_forgotten_in_dw=(
        "window = xp[n, :, si:si+HH, sj:sj+WW]",
        "window = xp[n, :, i:i+HH, j:j+WW]",
        "dkernel-stride-ignored",
    ),
    stride_of_kernel=(
        "dxp[n, :, si:si+HH, sj:sj+WW] += w[f] * dout[n, f, i, j]",
        "t = dxp[n, :, i*HH:i*HH+HH, j*WW:j*WW+WW]; t += w[f, :, :t.shape[1], :t.shape[2]] * dout[n, f, i, j]",
        "stride-of-kernel",
    ),
    dx_assigned=("sj:sj+WW] += w[f]", "sj:sj+WW] = w[f]", "assigned"),
    shifted=(
        "dxp[:, :, pad:pad+H, pad:pad+W]",
        "dxp[:, :, pad-1:pad-1+H, pad:pad+W]",
        "padding-removed-at-wrong-place",
    ),
)

IM2COL = """
def im2col(xp, HH, WW, stride, OH, OW):
    N, C = xp.shape[:2]
    cols = np.zeros((N, C, HH, WW, OH, OW))
    for i in range(HH):
        for j in range(WW):
            cols[:, :, i, j] = xp[:, :, i:i+stride*OH:stride, j:j+stride*OW:stride]
    return cols.transpose(0, 4, 5, 1, 2, 3).reshape(N * OH * OW, -1)

def col2im(cols, shape, HH, WW, stride, pad, OH, OW):
    N, C, H, W = shape
    cols = cols.reshape(N, OH, OW, C, HH, WW).transpose(0, 3, 4, 5, 1, 2)
    img = np.zeros((N, C, H + 2*pad + stride - 1, W + 2*pad + stride - 1))
    for y in range(HH):
        for x in range(WW):
            img[:, :, y:y+stride*OH:stride, x:x+stride*OW:stride] += cols[:, :, y, x]
    return img[:, :, pad:H + pad, pad:W + pad]

def forward(x, w, b, param):
    stride, pad = param["stride"], param["pad"]
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    OH, OW = 1 + (H + 2 * pad - HH) // stride, 1 + (W + 2 * pad - WW) // stride
    col = im2col(np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad))), HH, WW, stride, OH, OW)
    out = (col @ w.reshape(F, -1).T + b).reshape(N, OH, OW, F).transpose(0, 3, 1, 2)
    return out, (x, w, col, stride, pad, OH, OW)

def backward(dout, cache):
    x, w, col, stride, pad, OH, OW = cache
    F, C, HH, WW = w.shape
    d = dout.transpose(0, 2, 3, 1).reshape(-1, F)
    db = d.sum(axis=0)
    dw = (col.T @ d).T.reshape(F, C, HH, WW)
    dcol = d @ w.reshape(F, -1)
    dx = col2im(dcol, x.shape, HH, WW, stride, pad, OH, OW)
    return dx, dw, db
"""
program(
    "im2col",
    IM2COL,
    images((2, 3, 6, 5), (4, 3, 3, 2), 1, 1),
    dout_not_transposed=("dout.transpose(0, 2, 3, 1).reshape(-1, F)", "dout.reshape(-1, F)", "dy-reshaped"),
    dout_filters_first=(
        "dout.transpose(0, 2, 3, 1).reshape(-1, F)",
        "dout.transpose(1, 0, 2, 3).reshape(-1, F)",
        "dy-transposed-wrongly",
    ),
    dw_not_transposed=("(col.T @ d).T.reshape", "(col.T @ d).reshape", "order|filters-first"),
    dw_order=(
        "(col.T @ d).T.reshape(F, C, HH, WW)",
        "(col.T @ d).T.reshape(F, HH, WW, C).transpose(0, 3, 1, 2)",
        "order",
    ),
    col2im_assigned=("stride] += cols", "stride] = cols", "col2im-assigned"),
    col2im_order=(
        "cols.reshape(N, OH, OW, C, HH, WW).transpose(0, 3, 4, 5, 1, 2)",
        "cols.reshape(N, OH, OW, HH, WW, C).transpose(0, 5, 3, 4, 1, 2)",
        "order",
    ),
    col2im_crop=("img[:, :, pad:H + pad, pad:W + pad]", "img[:, :, :H, :W]", "wrong-place"),
    db_mean=("d.sum(axis=0)", "d.mean(axis=0)", "batch|rows and columns"),
    db_wrong_axis=("d.sum(axis=0)", "d.sum(axis=1)", "shape"),
    kernel_loop_short=("for y in range(HH):", "for y in range(HH - 1):", "kernel-loop-misses-one"),
)
program(
    "im2col with stride 2 and a remainder",
    IM2COL,
    images((2, 2, 8, 7), (3, 2, 3, 3), 2, 0),
    col2im_assigned=("stride] += cols", "stride] = cols", "col2im-assigned"),
    col2im_stride=(
        "img[:, :, y:y+stride*OH:stride, x:x+stride*OW:stride] += cols[:, :, y, x]",
        "img[:, :, y:y+OH, x:x+OW] += cols[:, :, y, x]",
        "dx-stride-ignored",
    ),
)

LAST = """
def forward(x, w, b):
    N, H, W, C = x.shape
    KH, KW, _, F = w.shape
    OH, OW = H - KH + 1, W - KW + 1
    y = np.zeros((N, OH, OW, F))
    for p in range(OH):
        for q in range(OW):
            y[:, p, q] = np.tensordot(x[:, p:p+KH, q:q+KW], w, axes=3) + b
    return np.maximum(y, 0), (x, w, y)

def backward(dy, cache):
    x, w, y = cache
    KH, KW, C, F = w.shape
    dz = dy * (y > 0)
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for p in range(dy.shape[1]):
        for q in range(dy.shape[2]):
            dx[:, p:p+KH, q:q+KW] += np.tensordot(dz[:, p, q], w, axes=(1, 3))
            dw += np.tensordot(x[:, p:p+KH, q:q+KW], dz[:, p, q], axes=(0, 0))
    return dx, dw, dz.sum(axis=(0, 1, 2))
"""
program(
    "convolution and relu, channels last",
    LAST,
    lambda rng: [rng.standard_normal((3, 6, 5, 2)), rng.standard_normal((3, 2, 2, 3)), rng.standard_normal(3)],
    relu_forgotten=("dy * (y > 0)", "dy", "activation-forgotten"),
    relu_forgotten_in_db=("dz.sum(axis=(0, 1, 2))", "dy.sum(axis=(0, 1, 2))", "activation-forgotten"),
    dx_assigned=("q:q+KW] += np", "q:q+KW] = np", "dx-assigned"),
    dw_assigned=("dw += np", "dw = np", "dkernel-of-last-window|only-one|last"),
    mask_inverted=("dy * (y > 0)", "dy * (y <= 0)", "mask-inverted"),
    mask_of_dy=("dy * (y > 0)", "dy * (dy > 0)", "masked-by-dy"),
    db_over_samples_only=("dz.sum(axis=(0, 1, 2))", "dz.sum(axis=0)", "shape"),
)
program(
    "square convolution, as many filters as channels",
    LAST.replace("np.maximum(y, 0)", "y").replace("dy * (y > 0)", "dy"),
    lambda rng: [rng.standard_normal((2, 5, 5, 3)), rng.standard_normal((3, 3, 3, 3)), rng.standard_normal(3)],
    channels_exchanged=("axes=(1, 3))", "axes=(1, 2))", "kernel-channels-exchanged"),
    positions_exchanged_in_dw=(
        "dw += np.tensordot(x[:, p:p+KH, q:q+KW], dz[:, p, q]",
        "dw += np.tensordot(x[:, p:p+KH, q:q+KW], dz[:, q, p]",
        "dy-reshaped|exchanged",
    ),
    dw_exchanged=("    return dx, dw,", "    return dx, dw.swapaxes(2, 3),", "dkernel-channels-exchanged"),
    dw_rows_columns=("    return dx, dw,", "    return dx, dw.swapaxes(0, 1),", "rows-and-columns"),
)
program(
    "depthwise convolution, channels last",
    """
def forward(x, w):
    KH, KW, C = w.shape
    y = np.zeros((len(x), x.shape[1] - KH + 1, x.shape[2] - KW + 1, C))
    for i in range(KH):
        for j in range(KW):
            y += x[:, i:i+y.shape[1], j:j+y.shape[2]] * w[i, j]
    return y, (x, w)

def backward(dy, cache):
    x, w = cache
    KH, KW, C = w.shape
    OH, OW = dy.shape[1:3]
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i in range(KH):
        for j in range(KW):
            dx[:, i:i+OH, j:j+OW] += dy * w[i, j]
            dw[i, j] = (x[:, i:i+OH, j:j+OW] * dy).sum(axis=(0, 1, 2))
    return dx, dw
""",
    lambda rng: [rng.standard_normal((2, 5, 6, 3)), rng.standard_normal((3, 2, 3))],
    col2im_assigned=("j:j+OW] += dy", "j:j+OW] = dy", "col2im-assigned"),
    kernel_flipped=("dy * w[i, j]", "dy * w[KH-1-i, KW-1-j]", "kernel-flipped"),
    mean=(".sum(axis=(0, 1, 2))", ".mean(axis=(0, 1, 2))", "a sum was differentiated as if it were a mean"),
)
program(
    "convolution in one dimension",
    """
def forward(x, w, b):
    N, L, C = x.shape
    K, _, F = w.shape
    y = np.stack([np.tensordot(x[:, p:p+K], w, axes=2) + b for p in range(L - K + 1)], axis=1)
    return y, (x, w)

def backward(dy, cache):
    x, w = cache
    K = len(w)
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for p in range(dy.shape[1]):
        dx[:, p:p+K] += np.tensordot(dy[:, p], w, axes=(1, 2))
        dw += np.tensordot(x[:, p:p+K], dy[:, p], axes=(0, 0))
    return dx, dw, dy.sum(axis=(0, 1))
""",
    lambda rng: [rng.standard_normal((3, 7, 2)), rng.standard_normal((3, 2, 4)), rng.standard_normal(4)],
    dx_assigned=("dx[:, p:p+K] +=", "dx[:, p:p+K] =", "assigned"),
    dw_assigned=("dw +=", "dw =", "last"),
    kernel_flipped=("np.tensordot(dy[:, p], w, ", "np.tensordot(dy[:, p], w[::-1], ", "kernel-flipped"),
)

POOL = """
def forward(x, param):
    PH, PW, s = param["pool_height"], param["pool_width"], param["stride"]
    N, C, H, W = x.shape
    OH, OW = 1 + (H - PH) // s, 1 + (W - PW) // s
    out = np.zeros((N, C, OH, OW))
    for i in range(OH):
        for j in range(OW):
            out[:, :, i, j] = x[:, :, i*s:i*s+PH, j*s:j*s+PW].max(axis=(2, 3))
    return out, (x, param)

def backward(dout, cache):
    x, param = cache
    PH, PW, s = param["pool_height"], param["pool_width"], param["stride"]
    N, C, OH, OW = dout.shape
    dx = np.zeros_like(x)
    for n in range(N):
        for c in range(C):
            for i in range(OH):
                for j in range(OW):
                    window = x[n, c, i*s:i*s+PH, j*s:j*s+PW]
                    r, k = np.unravel_index(window.argmax(), window.shape)
                    dx[n, c, i*s+r, j*s+k] += dout[n, c, i, j]
    return dx
"""
WINNER = "dx[n, c, i*s+r, j*s+k] += dout[n, c, i, j]"
WINDOW = "dx[n, c, i*s:i*s+PH, j*s:j*s+PW] "


def pool(height, width, stride, shape=(2, 3, 6, 6)):
    return lambda rng: [
        rng.standard_normal(shape),
        {"pool_height": height, "pool_width": width, "stride": stride},
    ]


program(
    "max pooling of CS231n, overlapping",
    POOL,
    pool(3, 3, 2, (2, 3, 7, 7)),
    winner_assigned=("k] += dout", "k] = dout", "winner-assigned"),
    window_assigned=(WINNER, WINDOW + "= (window == window.max()) * dout[n, c, i, j]", "window-assigned"),
    argmin=("window.argmax()", "window.argmin()", "argmin"),
    whole_window=(WINNER, WINDOW + "+= dout[n, c, i, j]", "whole-window"),
    mean=(WINNER, WINDOW + "+= dout[n, c, i, j] / 9", "mean-of-window"),
    first_cell=("i*s+r, j*s+k]", "i*s, j*s]", "one-cell-of-window-first"),
    exchanged=("i*s+r, j*s+k]", "i*s+k, j*s+r]", "row-and-column-exchanged"),
    no_offset=("i*s+r, j*s+k]", "r, k]", "window-offset-forgotten"),
    no_stride=("dx[n, c, i*s+r, j*s+k]", "dx[n, c, i+r, j+k]", "stride-ignored"),
    not_dout=("+= dout[n, c, i, j]", "+= 1", "dy-forgotten|dy-not-used"),
    times_x=("+= dout[n, c, i, j]", "+= dout[n, c, i, j] * window.max()", "window-for-mask"),
    first_channel=("window = x[n, c,", "window = x[n, 0,", "winner-of-one-channel-first"),
    first_sample=("window = x[n, c,", "window = x[0, c,", "winner-of-one-sample-first"),
    last_channel_forgotten=("for c in range(C):", "for c in range(C - 1):", "loop-misses-one-last-1"),
)
program(
    "max pooling of CS231n, side by side",
    POOL,
    pool(2, 2, 2),
    argmin=("window.argmax()", "window.argmin()", "argmin"),
    mean=(WINNER, WINDOW + "+= dout[n, c, i, j] / 4", "mean-of-window"),
    quarter=("+= dout[n, c, i, j]", "+= dout[n, c, i, j] / 4", "pooling.divided"),
    exchanged=("i*s+r, j*s+k]", "i*s+k, j*s+r]", "row-and-column-exchanged"),
    all_of_ties=(WINNER, WINDOW + "+= (window == window.max()) * dout[n, c, i, j]", "all-ties"),
)
program(
    "average pooling",
    """
def forward(x):
    N, H, W, C = x.shape
    y = np.zeros((N, (H - 3) // 2 + 1, (W - 3) // 2 + 1, C))
    for p in range(y.shape[1]):
        for q in range(y.shape[2]):
            y[:, p, q] = x[:, 2*p:2*p+3, 2*q:2*q+3].mean(axis=(1, 2))
    return y, x.shape

def backward(dy, shape):
    dx = np.zeros(shape)
    for p in range(dy.shape[1]):
        for q in range(dy.shape[2]):
            dx[:, 2*p:2*p+3, 2*q:2*q+3] += dy[:, p:p+1, q:q+1] / 9
    return dx
""",
    lambda rng: [rng.standard_normal((2, 8, 7, 2))],
    not_divided=(" / 9", "", "not-divided"),
    one_side=(" / 9", " / 3", "divided-by-one-side"),
    twice=(" / 9", " / 81", "divided-twice"),
    assigned=("2*q+3] += dy", "2*q+3] = dy", "mean-window-assigned"),
    no_stride=("dx[:, 2*p:2*p+3, 2*q:2*q+3]", "dx[:, p:p+3, q:q+3]", "mean-stride-ignored"),
    one_cell=("dx[:, 2*p:2*p+3, 2*q:2*q+3]", "dx[:, 2*p:2*p+1, 2*q:2*q+1]", "mean-to-one-cell"),
)
program(
    "global average pooling, channels first",
    """
def forward(x):
    return x.mean(axis=(2, 3)), x.shape

def backward(dy, shape):
    N, C, H, W = shape
    return np.ones(shape) * dy[:, :, None, None] / (H * W)
""",
    lambda rng: [rng.standard_normal((2, 3, 4, 5))],
    not_divided=(" / (H * W)", "", "not-divided"),
    over_channels_too=(" / (H * W)", " / (C * H * W)", "factor|1/3"),
)
