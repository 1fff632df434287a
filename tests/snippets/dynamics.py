"""Differential equations, integrated by loops that anybody would write."""

import numpy as np
from numpy import array, cos, sin


def rk4(f, y, t, h, n):
    """Runge and Kutta's classical scheme."""
    for _ in range(n):
        k1 = f(t, y)
        k2 = f(t + h / 2, y + h / 2 * k1)
        k3 = f(t + h / 2, y + h / 2 * k2)
        k4 = f(t + h, y + h * k3)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        t += h
    return y


def lotka_volterra(params, y0):
    """Predators and prey by RK4; the right-hand side is an np.array of a list."""
    alpha, beta, delta, gamma = params

    def rhs(t, y):
        prey, pred = y
        return np.array([alpha * prey - beta * prey * pred, delta * prey * pred - gamma * pred])

    return rk4(rhs, y0, 0.0, 0.1, 4)


def lorenz(state, sigma, rho, beta):
    """Lorenz's butterfly by Euler, the path kept in a buffer."""
    path = np.empty((8, 3))
    path[0] = state
    for i in range(7):
        x, y, z = path[i]
        path[i + 1] = path[i] + 0.01 * np.array([sigma * (y - x), x * (rho - z) - y, x * y - beta * z])
    return path


def pendulum(theta0, length, g=9.81, friction=0.1):
    """A pendulum, semi-implicit Euler, with names imported from NumPy."""
    y = array([theta0, 0.0])
    energies = []
    for _ in range(7):
        y[1] -= 0.05 * (g / length * sin(y[0]) + friction * y[1])
        y[0] += 0.05 * y[1]
        energies.append(0.5 * (length * y[1]) ** 2 + g * length * (1 - cos(y[0])))
    return array(energies)


def sir(beta, gamma, initial):
    """An epidemic: the height of its peak."""
    s, i, r = initial
    infected = [i]
    for _ in range(12):
        new = beta * s * i * 0.5
        rec = gamma * i * 0.5
        s, i, r = s - new, i + new - rec, r + rec
        infected.append(i)
    return max(infected)


def van_der_pol(mu, y0):
    """Van der Pol by Heun's method with an adaptive step."""
    f = lambda y: np.array([y[1], mu * (1 - y[0] ** 2) * y[1] - y[0]])
    t, h, y = 0.0, 0.1, y0
    while t < 0.6:
        h = min(h, 0.6 - t)
        k1 = f(y)
        k2 = f(y + h * k1)
        err = np.linalg.norm(h * (k2 - k1) / 2)
        if err < 1e-2:
            t, y = t + h, y + h * (k1 + k2) / 2
        h = h * min(2.0, max(0.3, 0.9 * np.sqrt(1e-2 / err)))
    return y


def three_body(pos, vel, mass):
    """Three stars, leapfrog, forces by a double loop into zeros."""

    def acceleration(p):
        a = np.zeros_like(p)
        for i in range(3):
            for j in range(3):
                if i != j:
                    d = p[j] - p[i]
                    a[i] += mass[j] * d / (np.dot(d, d) + 0.01) ** 1.5
        return a

    p, v = pos.copy(), vel.copy()
    a = acceleration(p)
    for _ in range(2):
        v += 0.05 * a / 2
        p += 0.05 * v
        a = acceleration(p)
        v += 0.05 * a / 2
    return p


def nbody_energy(pos, mass):
    """Gravitational energy by broadcasting and np.fill_diagonal."""
    diff = pos[:, np.newaxis, :] - pos[np.newaxis, :, :]
    dist = np.sqrt((diff**2).sum(-1) + 1e-12)
    inverse = 1 / dist
    np.fill_diagonal(inverse, 0)
    return -0.5 * mass @ inverse @ mass


def nbody_forces(pos, mass):
    """Forces by a mask that leaves out the diagonal."""
    r = pos[None] - pos[:, None]
    d2 = np.sum(r * r, axis=2)
    others = ~np.eye(len(pos), dtype=bool)
    w = np.zeros_like(d2)
    w[others] = d2[others] ** -1.5
    return (w[..., None] * r * mass[None, :, None]).sum(axis=1) * mass[:, None]


def lennard_jones(pos, eps, sigma):
    """Lennard-Jones over pairs from np.triu_indices, with a cut-off."""
    i, j = np.triu_indices(len(pos), k=1)
    r = np.linalg.norm(pos[i] - pos[j], axis=1)
    sr6 = (sigma / r) ** 6
    return np.sum(np.where(r < 2.5, 4 * eps * (sr6**2 - sr6), 0.0))


def heat(u0, kappa):
    """The heat equation, in place by slices."""
    u = u0.copy()
    for _ in range(8):
        u[1:-1] += kappa * (u[2:] - 2 * u[1:-1] + u[:-2])
        u[0] = u[1]
        u[-1] = u[-2]
    return u


def heat_implicit(u0, kappa):
    """The heat equation, implicit, with a matrix from np.diag."""
    n = len(u0)
    A = np.diag(np.full(n, 1 + 2 * kappa)) + np.diag(np.full(n - 1, -kappa), 1) + np.diag(np.full(n - 1, -kappa), -1)
    u = u0
    for _ in range(3):
        u = np.linalg.solve(A, u)
    return u


def wave(u0, c):
    """The wave equation with three time levels that swap names."""
    old, now = u0.copy(), u0.copy()
    new = np.zeros_like(now)
    for _ in range(6):
        new[1:-1] = 2 * now[1:-1] - old[1:-1] + c**2 * (now[2:] - 2 * now[1:-1] + now[:-2])
        old, now, new = now, new, np.zeros_like(now)
    return now


def heat2d(u, kappa):
    """Diffusion on a torus by np.roll."""
    for _ in range(3):
        lap = np.roll(u, 1, 0) + np.roll(u, -1, 0) + np.roll(u, 1, 1) + np.roll(u, -1, 1) - 4 * u
        u = u + kappa * lap
    return u


def burgers(u, nu, dx=0.1, dt=0.01):
    """Burgers' equation with an upwind difference chosen by sign."""
    for _ in range(4):
        back = (u - np.roll(u, 1)) / dx
        fore = (np.roll(u, -1) - u) / dx
        adv = np.where(u > 0, back, fore)
        u = u + dt * (-u * adv + nu * (np.roll(u, -1) - 2 * u + np.roll(u, 1)) / dx**2)
    return u


def arrhenius(logA, Ea, c0, T):
    """A chain of reactions A -> B -> C with Arrhenius rates."""
    k = np.exp(logA - Ea / (8.314e-3 * T))
    stoich = np.array([[-1, 0], [1, -1], [0, 1]])
    c = c0
    for _ in range(10):
        rates = k * c[:2]
        c = c + 0.01 * stoich @ rates
    return c


def brusselator(a, b, state):
    """Chemistry that oscillates: Newton in each implicit step."""
    y = np.array(state)
    for _ in range(3):
        z = y.copy()
        for _ in range(3):
            u, v = z
            residual = z - y - 0.1 * np.array([a + u**2 * v - (b + 1) * u, b * u - u**2 * v])
            J = np.eye(2) - 0.1 * np.array([[2 * u * v - b - 1, u**2], [b - 2 * u * v, -(u**2)]])
            z = z - np.linalg.solve(J, residual)
        y = z
    return y


def spring_chain(x, k, rest=1.0):
    """The force on each bead of a chain, by np.diff."""
    tension = k * (np.diff(x) - rest)
    force = np.zeros(len(x))
    force[:-1] += tension
    force[1:] -= tension
    return force


def bouncing_ball(height, restitution):
    """A ball that bounces: events found by a comparison."""
    y, v, t = height, 0.0, 0.0
    dt = 0.05
    while t < 1.5:
        v -= 9.81 * dt
        y += v * dt
        if y < 0:
            y, v = -restitution * y, -restitution * v
        t += dt
    return np.array([y, v])


def fitzhugh_nagumo(current, params):
    """A neuron's voltage, its trace summed by a trapezoid."""
    a, b, tau = params["a"], params["b"], params["tau"]
    v, w = -1.0, -0.5
    trace = np.zeros(8)
    for i in range(trace.size):
        dv = v - v**3 / 3 - w + current
        dw = (v + a - b * w) / tau
        v, w = v + 0.2 * dv, w + 0.2 * dw
        trace[i] = v
    return np.trapezoid(trace, dx=0.2)


def double_pendulum(y0, m1, m2):
    """Two rods by RK4, accelerations from a 2 x 2 system."""

    def rhs(t, y):
        a, b, wa, wb = y
        c, s = np.cos(a - b), np.sin(a - b)
        M = np.array([[m1 + m2, m2 * c], [c, 1.0]])
        f = np.array([-m2 * wb**2 * s - (m1 + m2) * 9.81 * np.sin(a), wa**2 * s - 9.81 * np.sin(b)])
        return np.concatenate([[wa, wb], np.linalg.solve(M, f)])

    return rk4(rhs, y0, 0.0, 0.02, 2)


def kepler_equation(M, e):
    """Eccentric anomaly by Newton's method to a tolerance, elementwise."""
    E = M + e * np.sin(M)
    while True:
        step = (E - e * np.sin(E) - M) / (1 - e * np.cos(E))
        E = E - step
        if np.max(np.abs(step)) < 1e-12:
            return E
