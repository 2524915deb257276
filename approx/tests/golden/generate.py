"""Golden vectors from implementations that share nothing with the crate.

Needs numpy, scipy and mpmath (made with 2.4.6, 1.17.1 and 1.4.1):

    python generate.py > vectors.csv

One line a value: method,function,low,high,degree,x,p(x). Values are those of
- `chebyshev`     numpy.polynomial: Gauss-Chebyshev sums of 20,000 points (smooth functions);
- `legendre`      scipy.integrate.quad against scipy.special.eval_legendre;
- `interpolation` numpy.polynomial.chebyshev.chebinterpolate;
- `hermite`       numpy.polynomial.hermite_e.hermegauss, 150 points (smooth functions);
- `taylor`        mpmath.taylor with 40 digits;
- `minimax`       a Remez exchange in mpmath with 40 digits, monomials and a linear solver;
- `numerical`     numpy.polynomial.Chebyshev.fit through as many samples;
- `modified`      numpy.linalg.lstsq on Gauss-Legendre points, 60 panels on either side of 0;
- `derivative`, `derivative-u8` the same for the slope, then numpy's chebint;
- `caratheodory-fejer` the algorithm on the series of chebinterpolate, with scipy.linalg.eigh;
- `tuned`         Newton's method with an exact line search on the same panels.

`fixed-point` has no vectors: it is a search of its own, and its tests compare it with rounding.
"""

import math

import mpmath as mp
import numpy as np
from numpy.polynomial import chebyshev, hermite_e
from scipy import integrate, linalg, special

mp.mp.dps = 40
erf = special.erf
FUNCTIONS = {
    "sigmoid": (special.expit, lambda x: 1 / (1 + mp.exp(-x))),
    "tanh": (np.tanh, mp.tanh),
    "gelu": (lambda x: x * special.ndtr(x), lambda x: x * mp.ncdf(x)),
    "silu": (lambda x: x * special.expit(x), lambda x: x / (1 + mp.exp(-x))),
    "softplus": (lambda x: np.logaddexp(0, x), lambda x: mp.log(1 + mp.exp(x))),
    "exp": (np.exp, mp.exp),
    "relu": (lambda x: np.maximum(x, 0.0), None),
}
INTERVALS = [(-1.0, 1.0), (-6.0, 6.0), (-3.0, 5.0)]


def emit(method, name, low, high, degree, p):
    for u in (-1.0, -0.35, 0.6):
        x = 0.5 * (low + high) + 0.5 * (high - low) * u
        print(f"{method},{name},{low!r},{high!r},{degree},{x!r},{float(p(x))!r}")


def projections():
    for name, (f, _) in FUNCTIONS.items():
        for low, high in INTERVALS:
            to_x = lambda u: 0.5 * (low + high) + 0.5 * (high - low) * u
            to_u = lambda x: (x - 0.5 * (low + high)) / (0.5 * (high - low))
            for degree in (3, 8):
                c = chebyshev.chebinterpolate(lambda u: f(to_x(u)), degree)
                emit("interpolation", name, low, high, degree, lambda x: chebyshev.chebval(to_u(x), c))
                c = []
                for k in range(degree + 1):
                    g = lambda u: f(to_x(u)) * special.eval_legendre(k, u)
                    cut = [to_u(0.0)]
                    value, _ = integrate.quad(g, -1, 1, points=cut, epsabs=1e-14, epsrel=1e-14, limit=400)
                    c.append((k + 0.5) * value)
                emit("legendre", name, low, high, degree, lambda x: np.polynomial.legendre.legval(to_u(x), c))
                if name == "relu":
                    continue
                n = 20000
                theta = (np.arange(n) + 0.5) * math.pi / n
                values = f(to_x(np.cos(theta)))
                c = [2 / n * np.sum(values * np.cos(k * theta)) for k in range(degree + 1)]
                c[0] /= 2
                emit("chebyshev", name, low, high, degree, lambda x: chebyshev.chebval(to_u(x), c))
                mean, deviation = 0.5 * (low + high), 0.5 * (high - low) / 3
                if deviation <= 1.4:  # poles nearer than that need more points than there are digits
                    z, w = hermite_e.hermegauss(150)
                    w = w / np.sum(w)
                    values = f(mean + deviation * z)
                    c = [np.sum(w * values * hermite_e.hermeval(z, [0] * k + [1])) / math.factorial(k)
                         for k in range(degree + 1)]
                    emit("hermite", name, low, high, degree,
                         lambda x: hermite_e.hermeval((x - mean) / deviation, c))


def taylors():
    for name, (_, f) in FUNCTIONS.items():
        if f is None:
            continue
        for low, high in INTERVALS:
            centre = mp.mpf(0.5 * (low + high))
            c = mp.taylor(f, centre, 7)
            emit("taylor", name, low, high, 7, lambda x: mp.polyval(c[::-1], mp.mpf(x) - centre))


def remez(f, low, high, degree):
    count = degree + 2
    to_x = lambda u: (mp.mpf(low) + high) / 2 + (mp.mpf(high) - low) / 2 * u
    # bent, as the crate's own is for other reasons: no symmetric reference
    reference = []
    for i in range(count):
        t = mp.pi * i / (count - 1)
        reference.append(-mp.cos(t + mp.mpf("0.15") * mp.sin(t) ** 2))
    for _ in range(25):
        a = mp.matrix(count, count)
        b = mp.matrix(count, 1)
        for i, u in enumerate(reference):
            for k in range(degree + 1):
                a[i, k] = u**k
            a[i, degree + 1] = (-1) ** i
            b[i] = f(to_x(u))
        solution = mp.lu_solve(a, b)
        c = [solution[k] for k in range(degree, -1, -1)]
        level = abs(solution[degree + 1])
        error = lambda u: f(to_x(u)) - mp.polyval(c, u)
        points = sorted(set([-mp.cos(mp.pi * i / (40 * count)) for i in range(40 * count + 1)] + reference))
        runs = []
        for i, u in enumerate(points):
            e = error(u)
            if runs and (runs[-1][1] > 0) == (e > 0):
                if abs(e) > abs(runs[-1][1]):
                    runs[-1] = (u, e, i)
            else:
                runs.append((u, e, i))
        refined = []
        for u, e, i in runs:
            if 0 < i < len(points) - 1:
                l, r = points[i - 1], points[i + 1]
                for _ in range(60):
                    m1, m2 = l + (r - l) * mp.mpf("0.382"), l + (r - l) * mp.mpf("0.618")
                    if abs(error(m1)) > abs(error(m2)):
                        r = m2
                    else:
                        l = m1
                u = (l + r) / 2
            refined.append((u, abs(error(u))))
        while len(refined) > count:
            refined.pop(0 if refined[0][1] < refined[-1][1] else -1)
        reference = [u for u, _ in refined]
        if max(e for _, e in refined) < level * (1 + mp.mpf("1e-13")):
            break
    return lambda x: mp.polyval(c, (mp.mpf(x) - (mp.mpf(low) + high) / 2) / ((mp.mpf(high) - low) / 2))


def minimaxes():
    for name, low, high, degree in [
        ("exp", -1.0, 1.0, 4), ("exp", -3.0, 5.0, 6), ("gelu", -3.0, 5.0, 4), ("silu", -3.0, 5.0, 5),
        ("tanh", -3.0, 5.0, 5), ("sigmoid", -3.0, 5.0, 6), ("softplus", -3.0, 5.0, 4),
    ]:
        emit("minimax", name, low, high, degree, remez(FUNCTIONS[name][1], low, high, degree))


def panels(low, high, count=60, points=20):
    """Gauss-Legendre points and weights on both sides of 0, in panels of one width."""
    z, w = np.polynomial.legendre.leggauss(points)
    cuts = [low, 0.0, high] if low < 0 < high else [low, high]
    x, weights = [], []
    for a, b in zip(cuts, cuts[1:]):
        edges = np.linspace(a, b, count + 1)
        for left, right in zip(edges, edges[1:]):
            x.append(0.5 * (left + right) + 0.5 * (right - left) * z)
            weights.append(0.5 * (right - left) * w)
    return np.concatenate(x), np.concatenate(weights)


def weighted(f, weight, low, high, degree):
    """Chebyshev coefficients of the least-squares fit."""
    x, w = panels(low, high)
    root = np.sqrt(w * weight(x))
    u = (x - 0.5 * (low + high)) / (0.5 * (high - low))
    matrix = chebyshev.chebvander(u, degree) * root[:, None]
    return np.linalg.lstsq(matrix, f(x) * root, rcond=None)[0]


def hole(offset, power, low, high):
    return lambda x: np.exp(-1 / (offset + np.where(x < 0, x / low, x / high) ** power))


def slope(name):
    """The derivative that the method projects, its weight (None: uniform), and the anchor."""
    if name == "relu":
        return special.expit, True
    if name == "sigmoid":
        return lambda x: special.expit(x) * special.expit(-x), False
    if name == "tanh":
        return lambda x: 1 / np.cosh(x) ** 2, False
    if name == "exp":
        return np.exp, False
    return None, False


def others():
    for name, (f, _) in FUNCTIONS.items():
        for low, high in INTERVALS:
            middle, half = 0.5 * (low + high), 0.5 * (high - low)
            to_u = lambda x: (x - middle) / half
            for degree in (3, 8):
                count = max(201, 2 * (degree + 1) ** 2 + 1)
                x = np.linspace(low, high, count)
                fit = chebyshev.Chebyshev.fit(x, f(x), degree, domain=[low, high])
                emit("numerical", name, low, high, degree, fit)
                c = weighted(f, hole(1e-5, 2, low, high), low, high, degree)
                emit("modified", name, low, high, degree, lambda x: chebyshev.chebval(to_u(x), c))
                g, holed = slope(name)
                if g is None:
                    continue
                for method, offset, power in (("derivative", 1e-6, 2), ("derivative-u8", 1e-5, 8)):
                    weight = hole(offset, power, low, high) if holed else np.ones_like
                    c = half * chebyshev.chebint(weighted(g, weight, low, high, degree - 1))
                    anchor = 0.0 if holed else middle
                    c[0] += f(anchor) - chebyshev.chebval(to_u(anchor), c)
                    emit(method, name, low, high, degree, lambda x: chebyshev.chebval(to_u(x), c))


def fejer(f, low, high, n):
    """Gutknecht & Trefethen (1982)."""
    all_ = chebyshev.chebinterpolate(lambda u: f(0.5 * (low + high) + 0.5 * (high - low) * u), 150)
    tail = all_[n + 1:]
    tail = tail[: 1 + np.max(np.nonzero(np.abs(tail) > 1e-16 * np.max(np.abs(all_))))]
    size = len(tail)
    hankel = np.array([[tail[i + j] if i + j < size else 0.0 for j in range(size)] for i in range(size)])
    values, vectors = linalg.eigh(hankel)
    v = vectors[:, np.argmax(np.abs(values))]
    b = np.concatenate([np.zeros(2 * n + 1), tail])  # b_{-n} ... b_n, then the tail
    for k in range(2 * n, -1, -1):
        b[k] = -np.dot(b[k + 1: k + size], v[1:]) / v[0]
    correction = [b[n]] + [b[n + k] + b[n - k] for k in range(1, n + 1)]
    return all_[: n + 1] - correction


def fejers():
    for name, low, high, degree in [
        ("exp", -1.0, 1.0, 3), ("exp", -3.0, 5.0, 8), ("gelu", -3.0, 5.0, 8), ("silu", -3.0, 5.0, 8),
        ("tanh", -3.0, 5.0, 8), ("sigmoid", -3.0, 5.0, 8), ("softplus", -3.0, 5.0, 8),
    ]:
        c = fejer(FUNCTIONS[name][0], low, high, degree)
        to_u = lambda x: (x - 0.5 * (low + high)) / (0.5 * (high - low))
        emit("caratheodory-fejer", name, low, high, degree, lambda x: chebyshev.chebval(to_u(x), c))


def tuned(f, low, high, degree, exponent=8.0, reach=0.25, weight=0.1):
    """Minimises norm + weight * norm beyond; Newton's method from least squares."""
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    x, w = panels(low, high)
    z, v = np.polynomial.legendre.leggauss(40)
    beyond = half * (1 + 0.5 * reach * (1 + z))
    parts = [
        (x, w / (high - low), 1.0),
        (np.concatenate([middle - beyond, middle + beyond]), np.concatenate([v, v]) / 4, weight),
    ]
    parts = [(chebyshev.chebvander((x - middle) / half, degree), f(x), w, factor) for x, w, factor in parts]

    def loss(c):
        total = 0.0
        for matrix, values, w, factor in parts:
            e = np.abs(matrix @ c - values)
            total += factor * np.max(e) * np.sum(w * (e / np.max(e)) ** exponent) ** (1 / exponent)
        return total

    def step(c):
        gradient, hessian = np.zeros(degree + 1), np.zeros((degree + 1, degree + 1))
        for matrix, values, w, factor in parts:
            e = matrix @ c - values
            largest = np.max(np.abs(e))
            r = e / largest
            mean = np.sum(w * np.abs(r) ** exponent)
            norm = largest * mean ** (1 / exponent)
            a = matrix.T @ (w * np.abs(r) ** (exponent - 1) * np.sign(r)) / mean
            b = (matrix.T * (w * np.abs(r) ** (exponent - 2))) @ matrix / mean
            s = norm / largest
            gradient += factor * s * a
            hessian += factor * (exponent - 1) * s / largest * (b - np.outer(a, a))
        return -np.linalg.lstsq(hessian, gradient, rcond=1e-13)[0]

    c = weighted(f, np.ones_like, low, high, degree)
    for _ in range(200):
        direction = step(c)
        # the best of ever smaller steps
        scales = 2.0 ** -np.arange(0, 40)
        losses = [loss(c + t * direction) for t in scales]
        if min(losses) >= loss(c):
            break
        c = c + scales[int(np.argmin(losses))] * direction
    return lambda x: chebyshev.chebval((x - middle) / half, c)


def tuneds():
    for name, (f, _) in FUNCTIONS.items():
        for low, high in INTERVALS:
            for degree in (2, 5):
                emit("tuned", name, low, high, degree, tuned(f, low, high, degree))


print("method,function,low,high,degree,x,value")
projections()
taylors()
minimaxes()
others()
fejers()
tuneds()
