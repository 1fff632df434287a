"""Layers of neural networks and what surrounds them."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def softmax(x, axis=-1):
    """A softmax that does not overflow."""
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def mlp(params, x):
    """A perceptron from a list of (W, b)."""
    h = x
    for W, b in params[:-1]:
        h = np.tanh(h @ W + b)
    W, b = params[-1]
    return h @ W + b


def cross_entropy(logits, labels):
    """Cross entropy by indexing with labels."""
    z = logits - logits.max(axis=1, keepdims=True)
    logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -logp[np.arange(len(labels)), labels].mean()


def conv1d_loops(x, w):
    """A convolution of one dimension by loops."""
    n, k = len(x), len(w)
    out = np.zeros(n - k + 1)
    for i in range(n - k + 1):
        for j in range(k):
            out[i] += x[i + j] * w[j]
    return out


def conv2d_loops(image, kernel):
    """A convolution of two dimensions, a window at a time."""
    H, W = image.shape
    h, w = kernel.shape
    out = np.zeros((H - h + 1, W - w + 1))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = np.sum(image[i : i + h, j : j + w] * kernel)
    return out


def conv2d_windows(x, w, b):
    """Channels and filters by sliding_window_view and einsum."""
    windows = sliding_window_view(x, w.shape[-2:], axis=(1, 2))
    return np.einsum("chwij,fcij->fhw", windows, w) + b[:, None, None]


def conv2d_im2col(x, w):
    """Columns by integer indexing, then one product."""
    kh, kw = w.shape
    oh, ow = x.shape[0] - kh + 1, x.shape[1] - kw + 1
    i = np.repeat(np.arange(kh), kw)[:, None] + np.repeat(np.arange(oh), ow)[None, :]
    j = np.tile(np.arange(kw), kh)[:, None] + np.tile(np.arange(ow), oh)[None, :]
    return (w.ravel() @ x[i, j]).reshape(oh, ow)


def batchnorm(x, gamma, beta, eps=1e-5):
    """Normalisation over the batch."""
    return gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps) + beta


def layernorm(x, gamma, beta, eps=1e-5):
    """Normalisation over the features."""
    mu = np.mean(x, axis=-1, keepdims=True)
    var = np.mean((x - mu) ** 2, axis=-1, keepdims=True)
    return (x - mu) / np.sqrt(var + eps) * gamma + beta


def attention(x, Wq, Wk, Wv):
    """Causal attention with a mask of minus infinity."""
    q, k, v = x @ Wq, x @ Wk, x @ Wv
    scores = q @ k.T / np.sqrt(q.shape[-1])
    mask = np.triu(np.ones_like(scores, dtype=bool), k=1)
    scores = np.where(mask, -np.inf, scores)
    return softmax(scores) @ v


def multi_head_attention(x, W, heads=2):
    """Several heads by reshape and swapaxes."""
    n, d = x.shape
    q, k, v = np.split(x @ W, 3, axis=1)
    split = lambda a: a.reshape(n, heads, d // heads).swapaxes(0, 1)
    q, k, v = map(split, (q, k, v))
    weights = softmax(q @ k.transpose(0, 2, 1) / (d // heads) ** 0.5)
    return (weights @ v).swapaxes(0, 1).reshape(n, d)


def sigmoid(x):
    """The logistic function."""
    return 1 / (1 + np.exp(-x))


def lstm(xs, W, b):
    """A cell with four gates, over a sequence."""
    n = len(b) // 4
    h, c = np.zeros(n), np.zeros(n)
    for x in xs:
        z = np.concatenate([x, h]) @ W + b
        i, f, o, g = z[:n], z[n : 2 * n], z[2 * n : 3 * n], z[3 * n :]
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return h


def gru(xs, p):
    """A gated unit, its weights in a dictionary."""
    h = np.zeros(p["U"].shape[0])
    states = []
    for x in xs:
        zr = sigmoid(np.hstack([x, h]) @ p["V"])
        z, r = np.array_split(zr, 2)
        h = (1 - z) * h + z * np.tanh(x @ p["W"] + (r * h) @ p["U"])
        states.append(h)
    return np.vstack(states)


def embedding(table, tokens):
    """Rows looked up, repeated ones too, and pooled."""
    return np.tanh(table[tokens].mean(axis=1))


def max_pool(x, k=2):
    """The largest of each window, by reshape."""
    h, w = x.shape
    return x.reshape(h // k, k, w // k, k).max(axis=(1, 3))


def dropout(x, mask, p=0.5):
    """A given mask, scaled."""
    return x * mask / (1 - p)


def gelu(x):
    """GELU by its tanh formula."""
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def leaky_relu(x, slope):
    """A copy, with the negative ones scaled through a mask."""
    y = x.copy()
    y[y < 0] *= slope
    return y


class Dense:
    """A layer that keeps its weights."""

    def __init__(self, W, b):
        self.W = W
        self.b = b

    def __call__(self, x):
        return np.maximum(x @ self.W + self.b, 0)


def network_of_objects(W1, W2, x):
    """Layers as objects with __call__."""
    net = [Dense(W1, np.zeros(W1.shape[1])), Dense(W2, 0.1)]
    for layer in net:
        x = layer(x)
    return x.sum()


@dataclass
class Settings:
    """What a trainer is told."""

    rate: float = 0.1
    steps: int = 4
    momentum: float = 0.9


SETTINGS = Settings()


def train_linear(w, X, y):
    """Gradient descent with momentum; the settings are a dataclass of the module."""
    v = np.zeros_like(w)
    for _ in range(SETTINGS.steps):
        grad = X.T @ (X @ w - y) / len(y)
        v = SETTINGS.momentum * v - SETTINGS.rate * grad
        w = w + v
    return w


class Perceptron:
    """A model with a method that is traced."""

    def __init__(self):
        self.scale = 2.0
        self.centre = np.array([0.5, -0.5])

    def loss(self, w):
        """A method of an object of the module."""
        return self.scale * np.sum((w - self.centre) ** 4)


perceptron_loss = Perceptron().loss


def positional_encoding(x, base):
    """Sines and cosines into even and odd columns."""
    n, d = x.shape
    pos = np.arange(n)[:, None]
    div = base ** (-np.arange(0, d, 2) / d)
    pe = np.zeros((n, d))
    pe[:, 0::2] = np.sin(pos * div)
    pe[:, 1::2] = np.cos(pos * div)
    return x + pe


def variational_loss(mu, logvar, noise):
    """The evidence bound of a variational autoencoder with given noise."""
    z = mu + np.exp(0.5 * logvar) * noise
    kl = -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar))
    return np.sum((np.tanh(z) - 0.3) ** 2) + kl


def contrastive(za, zb, tau):
    """Pairs against all others, rows normalised."""
    za = za / np.linalg.norm(za, axis=1, keepdims=True)
    zb = zb / np.linalg.norm(zb, axis=1, keepdims=True)
    sim = za @ zb.T / tau
    logits = sim - np.log(np.exp(sim).sum(axis=1))[:, None]
    return -np.mean(np.diag(logits))


def triplet(anchor, positive, negative, margin=1.0):
    """A margin between near and far."""
    d = lambda a, b: np.sum((a - b) ** 2, axis=-1)
    return np.mean(np.clip(d(anchor, positive) - d(anchor, negative) + margin, 0, None))


def graph_convolution(H, W, A):
    """A layer on a graph with a normalised adjacency."""
    A_hat = A + np.eye(A.shape[0])
    D = np.diag(1 / np.sqrt(A_hat.sum(axis=1)))
    return np.maximum(0, D @ A_hat @ D @ H @ W)


def rbf_network(x, centres, widths, weights):
    """Radial basis functions by a broadcast distance."""
    d2 = ((x[:, None, :] - centres) ** 2).sum(-1)
    return np.exp(-d2 / (2 * widths**2)) @ weights


def top_k(x, k=2):
    """The largest k, found by argsort."""
    best = np.argsort(x)[::-1][:k]
    return softmax(x[best])


def focal_loss(logits, y, gamma=2.0):
    """Easy examples count less."""
    p = np.clip(sigmoid(logits), 1e-7, 1 - 1e-7)
    pt = np.where(y == 1, p, 1 - p)
    return -np.mean((1 - pt) ** gamma * np.log(pt))


def rnn_out(x, W):
    """A recurrent net that writes through out=."""
    h = np.zeros(W.shape[0])
    buf = np.empty_like(h)
    for t in range(x.shape[0]):
        np.dot(W, h, out=buf)
        np.add(buf, x[t], out=buf)
        h = np.tanh(buf)
    return h
