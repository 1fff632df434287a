"""Rotations, robots and cameras."""

import math

import numpy as np
from numpy import arctan2, array, cos, cross, dot, sin
from numpy.linalg import norm


def joint(theta, a, alpha, d):
    """A link of a robot by Denavit and Hartenberg."""
    ct, st, ca, sa = np.cos(theta), np.sin(theta), np.cos(alpha), np.sin(alpha)
    return np.array([
        [ct, -st * ca, st * sa, a * ct],
        [st, ct * ca, -ct * sa, a * st],
        [0, sa, ca, d],
        [0, 0, 0, 1],
    ])  # fmt: skip


def robot_arm(angles, lengths):
    """Where the hand is: a product of 4 x 4 matrices."""
    T = np.eye(4)
    for theta, a, alpha in zip(angles, lengths, (np.pi / 2, 0, 0)):
        T = T @ joint(theta, a, alpha, 0.1)
    return T[:3, 3]


def planar_arm(q, lengths):
    """Where each joint is, by cumulative angles."""
    angle = np.cumsum(q)
    return np.cumsum(np.c_[lengths * np.cos(angle), lengths * np.sin(angle)], axis=0)


def quaternion_rotate(q, v):
    """A vector turned by a quaternion that is normalised first."""
    w, x, y, z = q / np.sqrt(np.sum(q**2))
    u = np.array([x, y, z])
    return v + 2 * np.cross(u, np.cross(u, v) + w * v)


def quaternion_product(p, q):
    """Hamilton's product."""
    a1, b1, c1, d1 = p
    a2, b2, c2, d2 = q
    return np.array([
        a1 * a2 - b1 * b2 - c1 * c2 - d1 * d2,
        a1 * b2 + b1 * a2 + c1 * d2 - d1 * c2,
        a1 * c2 - b1 * d2 + c1 * a2 + d1 * b2,
        a1 * d2 + b1 * c2 - c1 * b2 + d1 * a2,
    ])  # fmt: skip


def skew(k):
    """The matrix of a cross product."""
    return array([[0, -k[2], k[1]], [k[2], 0, -k[0]], [-k[1], k[0], 0]])


def rodrigues(r):
    """A rotation vector to a matrix, with a branch for small angles."""
    theta = norm(r)
    if theta < 1e-8:
        return np.eye(3) + skew(r)
    K = skew(r / theta)
    return np.eye(3) + sin(theta) * K + (1 - cos(theta)) * dot(K, K)


def euler_angles(roll, pitch, yaw):
    """Three rotations, literals inside a function."""
    Rx = array([[1, 0, 0], [0, cos(roll), -sin(roll)], [0, sin(roll), cos(roll)]])
    Ry = array([[cos(pitch), 0, sin(pitch)], [0, 1, 0], [-sin(pitch), 0, cos(pitch)]])
    Rz = array([[cos(yaw), -sin(yaw), 0], [sin(yaw), cos(yaw), 0], [0, 0, 1]])
    return Rz @ Ry @ Rx


def camera(points, pose, focal):
    """Pinhole projection with distortion, then the error."""
    R, t = rodrigues(pose[:3]), pose[3:]
    p = points @ R.T + t
    xy = p[:, :2] / p[:, 2:]
    r2 = (xy**2).sum(axis=1, keepdims=True)
    return focal * xy * (1 + 0.1 * r2 + 0.01 * r2**2)


def homography(H, points):
    """Homogeneous coordinates by np.hstack."""
    p = np.hstack([points, np.ones((len(points), 1))]) @ H.T
    return p[:, :2] / p[:, 2, None]


def triangle_area(a, b, c):
    """Heron, and half a cross product."""
    ab, ac = b - a, c - a
    sides = [norm(ab), norm(ac), norm(c - b)]
    s = sum(sides) / 2
    return np.sqrt(s * np.prod([s - side for side in sides])) + 0.5 * norm(cross(ab, ac))


def polygon(points):
    """The shoelace formula and the perimeter."""
    x, y = points.T
    area = 0.5 * np.abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
    return area / np.sum(np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1)) ** 2


def bearing(lat1, lon1, lat2, lon2):
    """Haversine distance and the bearing, in degrees."""
    lat1, lon1, lat2, lon2 = map(np.radians, (lat1, lon1, lat2, lon2))
    a = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    angle = arctan2(sin(lon2 - lon1) * cos(lat2), cos(lat1) * sin(lat2) - sin(lat1) * cos(lat2) * cos(lon2 - lon1))
    return 6371 * 2 * np.arcsin(np.sqrt(a)), np.degrees(angle) % 360


def pairwise_distances(X, Y):
    """Distances by the expanded square."""
    d2 = (X**2).sum(1)[:, None] + (Y**2).sum(1) - 2 * X @ Y.T
    return np.sqrt(np.maximum(d2, 0))


def procrustes(A, B):
    """The best rotation between two sets of points, by svd."""
    U, _, Vt = np.linalg.svd(A.T @ B)
    R = U @ Vt
    return np.sum((A @ R - B) ** 2)


def plane_fit(points):
    """The normal of the nearest plane, by eigh."""
    centred = points - points.mean(axis=0)
    w, v = np.linalg.eigh(centred.T @ centred)
    n = v[:, 0]
    return w[0] + np.abs(n[2])


def ray_sphere(origin, direction, centre, radius):
    """The first hit of a ray, or nothing."""
    d = direction / norm(direction)
    oc = origin - centre
    b = oc @ d
    disc = b * b - (oc @ oc - radius**2)
    if disc < 0:
        return math.inf
    return -b - np.sqrt(disc)


def signed_distance(p):
    """A rounded box joined with a circle by a smooth minimum."""
    q = np.abs(p) - np.array([1.0, 0.5])
    box = np.linalg.norm(np.maximum(q, 0)) + min(max(q[0], q[1]), 0.0) - 0.1
    circle = np.linalg.norm(p - np.array([1.2, 0.8])) - 0.4
    h = np.clip(0.5 + 0.5 * (box - circle) / 0.3, 0, 1)
    return box * (1 - h) + circle * h - 0.3 * h * (1 - h)


def lighting(normals, light, eye, shininess):
    """Phong: ambient, diffuse and specular."""
    n = normals / np.linalg.norm(normals, axis=1)[:, None]
    l, e = light / np.linalg.norm(light), eye / np.linalg.norm(eye)
    diffuse = np.clip(n @ l, 0, None)
    reflect = 2 * (n @ l)[:, np.newaxis] * n - l
    return 0.1 + 0.6 * diffuse + 0.3 * np.clip(reflect @ e, 0, None) ** shininess


def inverse_kinematics(target, lengths, q0):
    """Damped steps of a planar arm towards a target."""
    q = q0.copy()
    for _ in range(3):
        c = np.cumsum(q)
        J = np.zeros((2, len(q)))
        for i in range(len(q)):
            J[0, i] = -np.sum(lengths[i:] * np.sin(c[i:]))
            J[1, i] = np.sum(lengths[i:] * np.cos(c[i:]))
        hand = np.array([np.sum(lengths * np.cos(c)), np.sum(lengths * np.sin(c))])
        q += J.T @ np.linalg.solve(J @ J.T + 0.1 * np.eye(2), target - hand)
    return q


def catmull_rom(points, t):
    """A spline through points by a matrix of constants."""
    M = 0.5 * np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]])
    return np.array([1, t, t**2, t**3]) @ M @ points


def truss(positions, stiffness):
    """The energy of bars, assembled into a matrix with +=."""
    bars = [(0, 1), (1, 2), (0, 2), (2, 3), (1, 3)]
    n = len(positions)
    K = np.zeros((2 * n, 2 * n))
    for (i, j), k in zip(bars, stiffness):
        d = positions[j] - positions[i]
        L = np.sqrt(d @ d)
        B = np.outer(d / L, d / L) * k / L
        I, J = slice(2 * i, 2 * i + 2), slice(2 * j, 2 * j + 2)
        K[I, I] += B
        K[J, J] += B
        K[I, J] -= B
        K[J, I] -= B
    free = [4, 5, 6, 7]
    u = np.linalg.solve(K[np.ix_(free, free)], np.array([0.0, -1.0, 0.5, 0.0]))
    return u @ u
