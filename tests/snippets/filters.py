"""Estimation: states that are seen through noise."""

import numpy as np
from numpy.linalg import inv, slogdet


def kalman_likelihood(q, r, observations):
    """The log likelihood of a track with constant velocity; inverse by np.linalg.inv."""
    F = np.array([[1.0, 1.0], [0.0, 1.0]])
    H = np.array([[1.0, 0.0]])
    Q = q * np.array([[1 / 3, 1 / 2], [1 / 2, 1.0]])
    R = np.array([[r]])
    x = np.zeros((2, 1))
    P = np.eye(2) * 10
    loglik = 0.0
    for z in observations:
        x = F @ x
        P = F @ P @ F.T + Q
        y = z - H @ x
        S = H @ P @ H.T + R
        K = P @ H.T @ np.linalg.inv(S)
        x = x + K @ y
        P = (np.eye(2) - K @ H) @ P
        loglik += -0.5 * (np.log(np.linalg.det(2 * np.pi * S)) + (y.T @ np.linalg.inv(S) @ y).item())
    return loglik


def kalman_joseph(Q, R, zs):
    """A filter with Joseph's update and the gain by np.linalg.solve."""
    n = Q.shape[0]
    F = np.eye(n) + np.diag(np.ones(n - 1), 1)
    H = np.zeros((2, n))
    H[0, 0] = H[1, 1] = 1
    x, P = np.zeros(n), np.eye(n)
    means = []
    for z in zs:
        x, P = F @ x, F @ P @ F.T + Q
        S = H @ P @ H.T + R
        K = np.linalg.solve(S.T, H @ P.T).T
        x = x + K @ (z - H @ x)
        I_KH = np.eye(n) - K @ H
        P = I_KH @ P @ I_KH.T + K @ R @ K.T
        means.append(x)
    return np.array(means)


def extended_kalman(noise, ranges, beacons):
    """Range measurements of beacons; the Jacobian is filled row by row."""
    x = np.array([0.5, 0.2])
    P = np.eye(2)
    for z in ranges:
        P = P + noise**2 * np.eye(2)
        H = np.zeros((len(beacons), 2))
        h = np.zeros(len(beacons))
        for i, b in enumerate(beacons):
            d = x - b
            h[i] = np.hypot(d[0], d[1])
            H[i, :] = d / h[i]
        S = H @ P @ H.T + 0.1 * np.eye(len(beacons))
        K = P @ H.T @ inv(S)
        x = x + K @ (z - h)
        P = P - K @ S @ K.T
    return np.concatenate((x, P.ravel()))


def unscented_transform(mean, A):
    """Sigma points from a Cholesky factor, through a polar map."""
    n = len(mean)
    cov = 0.01 * (A @ A.T + np.eye(n))
    L = np.linalg.cholesky((n + 1.0) * cov)
    points = np.vstack([mean, mean + L.T, mean - L.T])
    w = np.full(2 * n + 1, 0.5 / (n + 1.0))
    w[0] = 1 / (n + 1.0)
    r, phi = points[:, 0], points[:, 1]
    out = np.stack([r * np.cos(phi), r * np.sin(phi)], axis=1)
    mu = w @ out
    d = out - mu
    return mu, (w[:, None] * d).T @ d


def rts_smoother(q, ys):
    """A local level: forward filter, backward smoother, arrays filled both ways."""
    n = len(ys)
    m, p, mp, pp = (np.zeros(n) for _ in range(4))
    mean, var = 0.0, 1.0
    for t in range(n):
        mp[t], pp[t] = mean, var + q
        k = pp[t] / (pp[t] + 0.5)
        mean = mp[t] + k * (ys[t] - mp[t])
        var = (1 - k) * pp[t]
        m[t], p[t] = mean, var
    s = m.copy()
    for t in range(n - 2, -1, -1):
        g = p[t] / pp[t + 1]
        s[t] = m[t] + g * (s[t + 1] - mp[t + 1])
    return s


def particle_weights(log_w, particles):
    """Weights normalised in log space, the effective size and the mean."""
    w = np.exp(log_w - log_w.max())
    w /= w.sum()
    return w @ particles, 1 / np.square(w).sum()


def exponential_smoothing(x, alpha):
    """A running average in place."""
    s = np.empty_like(x)
    s[0] = x[0]
    for t in range(1, len(x)):
        s[t] = alpha * x[t] + (1 - alpha) * s[t - 1]
    return s


def holt_winters(y, alpha, beta, gamma, period=3):
    """The error of additive seasonal smoothing; the seasons are a list."""
    season = [y[i] - np.mean(y[:period]) for i in range(period)]
    level, trend, sse = np.mean(y[:period]), 0.0, 0.0
    for t in range(period, len(y)):
        s = season[t % period]
        err = y[t] - (level + trend + s)
        sse += err**2
        last = level
        level = alpha * (y[t] - s) + (1 - alpha) * (level + trend)
        trend = beta * (level - last) + (1 - beta) * trend
        season[t % period] = gamma * (y[t] - level) + (1 - gamma) * s
    return sse


def biquad(x, b, a):
    """A second-order section, direct form II transposed."""
    y = np.zeros(len(x))
    d1 = d2 = 0.0
    for n, xn in enumerate(x):
        y[n] = b[0] * xn + d1
        d1 = b[1] * xn - a[0] * y[n] + d2
        d2 = b[2] * xn - a[1] * y[n]
    return y


def moving_average(x, n=3):
    """A moving average by cumulative sums."""
    c = np.cumsum(np.insert(x, 0, 0.0))
    return (c[n:] - c[:-n]) / n


def savitzky_golay(x):
    """Smoothing by a fixed kernel, np.convolve."""
    kernel = np.array([-3, 12, 17, 12, -3]) / 35
    return np.convolve(x, kernel, mode="valid")


def lowpass_energy(x, cutoff):
    """Energy below a soft cut-off, by np.fft."""
    X = np.fft.rfft(x)
    f = np.fft.rfftfreq(len(x))
    gain = 1 / (1 + (f / cutoff) ** 4)
    y = np.fft.irfft(X * gain, n=len(x))
    return np.sum(y**2)


def spectral_centroid(x):
    """The centre of a windowed power spectrum."""
    power = np.abs(np.fft.rfft(x * np.hanning(len(x)))) ** 2
    return (np.arange(len(power)) * power).sum() / power.sum()


def autocorrelation(x, lags=3):
    """Autocorrelations by a list comprehension."""
    x = x - x.mean()
    return np.array([np.dot(x[: len(x) - k], x[k:]) for k in range(1, lags + 1)]) / np.dot(x, x)


def complementary_filter(gyro, accel, alpha=0.95):
    """An angle from a gyroscope and an accelerometer."""
    angle = np.arctan2(accel[0, 0], accel[0, 1])
    angles = []
    for w, (ax, az) in zip(gyro, accel):
        angle = alpha * (angle + 0.01 * w) + (1 - alpha) * np.arctan2(ax, az)
        angles.append(angle)
    return np.stack(angles)


def innovation_covariance(A, B, logdiag):
    """Log likelihood of innovations with slogdet, imported by name."""
    S = A @ A.T + np.diag(np.exp(logdiag))
    sign, logdet = slogdet(S)
    return -0.5 * (logdet + np.trace(inv(S) @ B @ B.T)) * sign
