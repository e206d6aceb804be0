"""A solution of exercise 11, the training loop."""


def train(model, loss, optimizer, x, labels, epochs, batch_size, rng):
    """Train the model in place -> the mean loss of each epoch, a list of numbers."""
    losses = []
    for _ in range(epochs):
        order, total = rng.permutation(len(x)), 0.0
        for start in range(0, len(x), batch_size):
            batch = order[start : start + batch_size]
            logits = model.forward(x[batch], training=True)
            total += loss.forward(labels[batch], logits) * len(batch)
            model.backward(loss.backward())
            optimizer.step(model.parameters())
        losses.append(total / len(x))
    return losses
