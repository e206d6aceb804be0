"""Exercise 1: the dense layer.

Each of the F outputs is a weighted sum of all C inputs, plus a bias:

    y[n, f] = bias[f] + Σ_c x[n, c] · kernel[c, f]            as matrices: y = x · kernel + bias

    x        (N, C)    N samples with C inputs each
    kernel   (C, F)    column f has the weights of output f
    bias     (F,)      one number for each output, added to every sample
    y        (N, F)

dy is the gradient of the loss with respect to y, ∂L/∂y: an array of y's shape. The backward gets dy from the
next layer, and returns dx, dkernel and dbias: the gradients with respect to the forward's arguments, each of its
argument's shape.

The derivation begins like this. kernel[c, f] is used in y[n, f] of every sample n, with the factor x[n, c]. The
chain rule adds up all uses, each with the dy of the output:

    dkernel[c, f] = Σ_n dy[n, f] · ∂y[n, f]/∂kernel[c, f] = Σ_n x[n, c] · dy[n, f]

Which matrix product is this sum? In which outputs is bias[f] used, and x[n, c]?

YOUR TASK: replace the three None in dense_backward. Each needs one line. Then run

    python -m minicnn.exercises check dense
"""


def dense(x, kernel, bias):
    """x (N, C), kernel (C, F), bias (F,) -> y (N, F), and what the backward needs. This forward is given."""
    y = x @ kernel + bias
    return y, (x, kernel)


def dense_backward(dy, saved):
    """dy (N, F) -> dx (N, C), dkernel (C, F), dbias (F,)."""
    x, kernel = saved
    dx = None
    dkernel = None
    dbias = None
    return dx, dkernel, dbias
