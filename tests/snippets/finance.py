"""Prices, risks and returns."""

import math

import numpy as np


def norm_cdf(x):
    """A polynomial for the normal distribution (Abramowitz and Stegun 26.2.17)."""
    k = 1 / (1 + 0.2316419 * np.abs(x))
    poly = k * (0.319381530 + k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429))))
    tail = np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi) * poly
    return np.where(x >= 0, 1 - tail, tail)


def black_scholes(S, K, T, r, sigma):
    """A call, its normal distribution by a polynomial; the gradient is its Greeks."""
    d1 = (np.log(S / K) + (r + sigma**2 / 2) * T) / (sigma * np.sqrt(T))
    d2 = d1 - sigma * np.sqrt(T)
    return S * norm_cdf(d1) - K * np.exp(-r * T) * norm_cdf(d2)


def black_scholes_erf(S, K, T, r, sigma):
    """The same with the functions of Python's math."""
    phi = lambda x: 0.5 * (1 + math.erf(x / math.sqrt(2)))
    d1 = (math.log(S / K) + (r + sigma**2 / 2) * T) / (sigma * math.sqrt(T))
    return S * phi(d1) - K * math.exp(-r * T) * phi(d1 - sigma * math.sqrt(T))


def binomial_tree(S, K, r, sigma, T=1.0, steps=4):
    """An American put, its tree rolled back in place."""
    dt = T / steps
    u = np.exp(sigma * np.sqrt(dt))
    d = 1 / u
    p = (np.exp(r * dt) - d) / (u - d)
    j = np.arange(steps + 1)
    prices = S * u**j * d ** (steps - j)
    value = np.maximum(K - prices, 0)
    for i in range(steps - 1, -1, -1):
        value[: i + 1] = np.exp(-r * dt) * (p * value[1 : i + 2] + (1 - p) * value[: i + 1])
        prices = S * u ** np.arange(i + 1) * d ** (i - np.arange(i + 1))
        value[: i + 1] = np.maximum(value[: i + 1], K - prices)
    return value[0]


def yield_curve(rates, times):
    """A bond's price by np.interp on a curve of rates."""
    knots = np.array([0.5, 1.0, 2.0, 5.0])
    z = np.interp(times, knots, rates)
    cash = np.full(len(times), 0.04)
    cash[-1] += 1
    return np.sum(cash * np.exp(-z * times))


def drawdown(returns):
    """The largest fall from a running peak: np.cumprod and np.maximum.accumulate."""
    wealth = np.cumprod(1 + returns)
    peak = np.maximum.accumulate(wealth)
    return np.max((peak - wealth) / peak)


def sharpe(weights, returns):
    """Mean over deviation, by the year."""
    w = weights / weights.sum()
    p = returns @ w
    return np.sqrt(252) * p.mean() / p.std(ddof=1)


def markowitz(mu, cov, risk):
    """The weights of the least risk for a mean: bordered equations by np.block."""
    one = np.ones((len(mu), 1))
    K = np.block([[risk * cov, one], [one.T, np.zeros((1, 1))]])
    return np.linalg.solve(K, np.append(mu, 1.0))[:-1]


def internal_rate(cash):
    """The rate at which a project is worth nothing, by Newton."""
    t = np.arange(len(cash))
    r = 0.1
    for _ in range(20):
        f = np.sum(cash / (1 + r) ** t)
        df = np.sum(-t * cash / (1 + r) ** (t + 1))
        step = f / df
        r -= step
        if abs(step) < 1e-14:
            break
    return r


def asian_option(S, sigma, normals, K=100.0, r=0.02):
    """An average along paths of given normals."""
    dt = 1 / normals.shape[1]
    steps = (r - 0.5 * sigma**2) * dt + sigma * np.sqrt(dt) * normals
    paths = S * np.exp(np.cumsum(steps, axis=1))
    return np.exp(-r) * np.mean(np.maximum(paths.mean(axis=1) - K, 0))


def value_at_risk(weights, returns, level=5):
    """Losses at a percentile, and the mean of what is worse."""
    p = returns @ weights
    var = -np.percentile(p, level * 4)
    return var + -p[p <= -var].mean()


def implied_volatility(price, S=100.0, K=105.0, T=0.5):
    """Newton on the price with its vega."""
    sigma = 0.3
    for _ in range(30):
        d1 = (np.log(S / K) + sigma**2 / 2 * T) / (sigma * np.sqrt(T))
        diff = S * norm_cdf(d1) - K * norm_cdf(d1 - sigma * np.sqrt(T)) - price
        if np.abs(diff) < 1e-9:
            break
        sigma -= diff / (S * np.sqrt(T) * np.exp(-(d1**2) / 2) / np.sqrt(2 * np.pi))
    return sigma


def mortgage(principal, rate, years):
    """What is left of a loan, month by month, in a list."""
    m = rate / 12
    payment = principal * m / (1 - (1 + m) ** (-12 * years))
    balance = [principal]
    for _ in range(12):
        balance.append(balance[-1] * (1 + m) - payment)
    return np.asarray(balance)


def tax(income, rates):
    """Brackets by np.clip and np.diff."""
    limits = np.array([0.0, 10.0, 40.0, 90.0, np.inf])
    taxed = [np.clip(income - lo, 0, hi - lo) for lo, hi in zip(limits[:-1], limits[1:])]
    return np.dot(taxed, rates)


def vasicek(params, rates, dt=0.25):
    """The likelihood of a mean-reverting rate."""
    kappa, theta, sigma = params
    decay = np.exp(-kappa * dt)
    mean = rates[:-1] * decay + theta * (1 - decay)
    var = sigma**2 * (1 - decay**2) / (2 * kappa)
    return 0.5 * np.sum(np.log(2 * np.pi * var) + np.square(rates[1:] - mean) / var)


def moving_crossover(prices, fast=2, slow=4):
    """Profits of a rule that follows two moving averages."""
    ma = lambda n: np.convolve(prices, np.ones(n) / n, "valid")
    signal = np.sign(ma(fast)[slow - fast :] - ma(slow))
    returns = np.diff(np.log(prices))[slow - 1 :]
    return np.sum(signal[:-1] * returns)


def nelson_siegel(b, tau, t):
    """A curve of yields by its three factors."""
    x = t / tau
    f = (1 - np.exp(-x)) / x
    return b[0] + b[1] * f + b[2] * (f - np.exp(-x))
