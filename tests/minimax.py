"""The polynomials of generated C's elementary functions, by Remez's exchange at 50 digits: `python tests/minimax.py`."""

# ruff: noqa: T201 (it is a program)

import mpmath as mp

mp.mp.dps = 50


def minimax(f, weight, low, high, count, grid=1500):
    """``count`` coefficients of the polynomial whose weighted error, largest on [low, high], is least; and its log2."""
    low, high = mp.mpf(low), mp.mpf(high)
    nodes = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * (k + 0.5) / grid) for k in range(grid)]
    values, weights = [f(x) for x in nodes], [weight(x) for x in nodes]
    chosen = [round(k * (grid - 1) / count) for k in range(count + 1)]
    while True:
        a = mp.matrix(count + 1, count + 1)
        for row, k in enumerate(chosen):
            for column in range(count):
                a[row, column] = nodes[k] ** column
            a[row, count] = (-1) ** row / weights[k]
        solved = mp.lu_solve(a, mp.matrix([values[k] for k in chosen]))
        c, level = list(solved[:count]), abs(solved[count])
        errors = [w * (v - mp.polyval(c[::-1], x)) for x, v, w in zip(nodes, values, weights, strict=True)]
        extremes = []
        for k, e in enumerate(errors):
            if extremes and (e > 0) == (errors[extremes[-1]] > 0):
                extremes[-1] = max(extremes[-1], k, key=lambda i: abs(errors[i]))
            else:
                extremes.append(k)
        while len(extremes) > count + 1:
            extremes.pop(0 if abs(errors[extremes[0]]) < abs(errors[extremes[-1]]) else -1)
        largest = max(map(abs, errors))
        if largest < level * 1.02 or len(extremes) <= count:
            return c, float(mp.log(largest, 2))
        chosen = extremes


def odd(f, x2):
    """(f(x) - x) / x^3 of x^2, for an odd function that begins with x."""
    x2 = max(x2, mp.mpf("1e-15"))
    x = mp.sqrt(x2)
    return (f(x) - x) / x**3


def third(z):
    """(log((1 + s) / (1 - s)) - 2 s - 2/3 s^3) / s^5 of z = s^2."""
    z = max(z, mp.mpf("1e-12"))
    return (2 * odd(mp.atanh, z) - mp.mpf(2) / 3) / z


def main():
    near = lambda z: z + mp.mpf("1e-3")
    half = mp.log(2) / 2 * mp.mpf("1.0001")
    tail = lambda r: (mp.exp(r) - 1 - r) / r**2 if abs(r) > mp.mpf("1e-12") else mp.mpf(1) / 2 + r / 6
    cosine = lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2 if z > mp.mpf("1e-10") else mp.mpf(1) / 24 - z / 720
    turn, slope = (mp.pi / 4 * mp.mpf("1.01")) ** 2, (mp.tan(mp.pi / 8) * mp.mpf("1.001")) ** 2
    for name, arguments in {
        "exp_tail": (tail, lambda r: abs(r) + mp.mpf("0.02"), -half, half, 10),
        "log_tail": (lambda z: 2 * odd(mp.atanh, z), near, 0, mp.mpf("0.17158") ** 2, 7),
        "log_exact": (third, lambda z: mp.mpf(1), 0, mp.mpf("0.17158") ** 2, 9),
        "sin_tail": (lambda z: odd(mp.sin, z), near, 0, turn, 6),
        "cos_tail": (cosine, lambda z: z * z + mp.mpf("1e-3"), 0, turn, 6),
        "atan_tail": (lambda z: odd(mp.atan, z), near, 0, slope, 11),
        "asin_parts": (lambda z: odd(mp.asin, z), near, 0, mp.mpf("0.2501"), 12),
    }.items():
        coefficients, error = minimax(*arguments)
        print(f"{name}, to 2^{error:.1f}:", ", ".join(float(c).hex() for c in coefficients))


if __name__ == "__main__":
    main()
