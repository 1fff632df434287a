"""Pictures as arrays."""

import numpy as np


def sobel(image):
    """Edges by slices."""
    gx = (image[:-2, 2:] + 2 * image[1:-1, 2:] + image[2:, 2:]) - (image[:-2, :-2] + 2 * image[1:-1, :-2] + image[2:, :-2])
    gy = (image[2:, :-2] + 2 * image[2:, 1:-1] + image[2:, 2:]) - (image[:-2, :-2] + 2 * image[:-2, 1:-1] + image[:-2, 2:])
    return np.hypot(gx, gy)


def bilinear(image, x, y):
    """A picture read between its pixels: gradients in the place too."""
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - x0, y - y0
    top = image[y0, x0] * (1 - fx) + image[y0, x0 + 1] * fx
    bottom = image[y0 + 1, x0] * (1 - fx) + image[y0 + 1, x0 + 1] * fx
    return top * (1 - fy) + bottom * fy


def total_variation(image, eps=1e-3):
    """Smoothed total variation."""
    dx = np.diff(image, axis=1)[:-1, :]
    dy = np.diff(image, axis=0)[:, :-1]
    return np.sum(np.sqrt(dx**2 + dy**2 + eps))


def gaussian_blur(image, sigma):
    """A separable blur: np.pad and np.convolve, row by row, then column by column."""
    r = np.arange(-2, 3)
    k = np.exp(-(r**2) / (2 * sigma**2))
    k /= k.sum()
    padded = np.pad(image, 2, mode="edge")
    rows = np.array([np.convolve(row, k, mode="valid") for row in padded])
    return np.array([np.convolve(col, k, mode="valid") for col in rows.T]).T


def unsharp_mask(image, amount):
    """An image plus what a box blur took away."""
    p = np.pad(image, 1, mode="reflect")
    blur = sum(p[i : i + image.shape[0], j : j + image.shape[1]] for i in range(3) for j in range(3)) / 9
    return np.clip(image + amount * (image - blur), 0, 1)


def gamma_correction(image, gamma):
    """The sRGB curve, by boolean masks."""
    out = np.empty_like(image)
    low = image <= 0.0031308
    out[low] = 12.92 * image[low]
    out[~low] = 1.055 * image[~low] ** (1 / gamma) - 0.055
    return out


def grey(rgb, weights):
    """Colours to grey by tensordot."""
    return np.tensordot(rgb, weights, axes=([-1], [0]))


def hsv_value_saturation(rgb):
    """Saturation from the largest and smallest channel."""
    v = rgb.max(axis=-1)
    c = v - rgb.min(axis=-1)
    return np.stack([np.where(v > 0, c / v, 0), v])


def ssim(a, b):
    """Structural similarity of two whole pictures."""
    c1, c2 = 0.01**2, 0.03**2
    ma, mb = a.mean(), b.mean()
    cov = ((a - ma) * (b - mb)).mean()
    return (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (a.var() + b.var() + c2))


def integral_image(image):
    """Box sums from cumulative sums along both axes."""
    s = np.zeros((image.shape[0] + 1, image.shape[1] + 1))
    s[1:, 1:] = image.cumsum(axis=0).cumsum(axis=1)
    return s[2:, 2:] - s[:-2, 2:] - s[2:, :-2] + s[:-2, :-2]


def median_filter(x):
    """A median over windows of three, stacked."""
    return np.median(np.stack([x[:-2], x[1:-1], x[2:]]), axis=0)


def downsample(image):
    """Averages of blocks, then nearest neighbours by np.kron."""
    h, w = image.shape
    small = image.reshape(h // 2, 2, w // 2, 2).mean(axis=(1, 3))
    return np.kron(small, np.ones((2, 2)))


def rotate_crop(image, k=1):
    """np.rot90, flips and a crop."""
    turned = np.rot90(image, k)
    return np.flipud(turned)[1:-1, 1:-1] - np.fliplr(turned)[1:-1, 1:-1] * 0.5


def soft_histogram(image, centres, width):
    """A histogram with a gradient: triangles on a mesh."""
    distance = np.abs(image.reshape(-1, 1) - centres) / width
    return np.maximum(0, 1 - distance).sum(axis=0)


def alpha_blend(layers, alphas):
    """Layers from back to front, in place."""
    canvas = np.zeros(layers.shape[1:])
    for layer, a in zip(layers, alphas):
        canvas *= 1 - a
        canvas += a * layer
    return canvas


def render_gaussians(positions, scales, size=5):
    """Blobs drawn on a mesh grid."""
    ys, xs = np.mgrid[0:size, 0:size]
    image = np.zeros((size, size))
    for (px, py), s in zip(positions, scales):
        image += np.exp(-((xs - px) ** 2 + (ys - py) ** 2) / (2 * s * s))
    return image


def optical_flow(a, b):
    """Lucas and Kanade: one flow vector for a patch."""
    iy, ix = np.gradient(a)
    it = b - a
    A = np.array([[np.sum(ix * ix), np.sum(ix * iy)], [np.sum(ix * iy), np.sum(iy * iy)]])
    return np.linalg.solve(A, -np.array([np.sum(ix * it), np.sum(iy * it)]))


def seam_energy(image, t=0.1):
    """A seam from top to bottom, a soft minimum over three neighbours."""
    cost = image[0]
    for row in image[1:]:
        left = np.concatenate(([np.inf], cost[:-1]))
        right = np.concatenate((cost[1:], [np.inf]))
        cost = row - t * np.log(np.exp(-left / t) + np.exp(-cost / t) + np.exp(-right / t))
    return cost
