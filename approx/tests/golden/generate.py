"""Golden vectors from implementations that share nothing with the crate.

Needs numpy, scipy and mpmath (made with 2.4.6, 1.17.1 and 1.4.1):

    python generate.py > vectors.csv

One line a value: method,function,low,high,degree,x,p(x). Values are those of
- `chebyshev`     numpy.polynomial: Gauss-Chebyshev sums of 20,000 points (smooth functions);
- `legendre`      scipy.integrate.quad against scipy.special.eval_legendre;
- `interpolation` numpy.polynomial.chebyshev.chebinterpolate;
- `hermite`       numpy.polynomial.hermite_e.hermegauss, 150 points (smooth functions);
- `taylor`        mpmath.taylor with 40 digits;
- `minimax`       a Remez exchange in mpmath with 40 digits, monomials and a linear solver.
"""

import math

import mpmath as mp
import numpy as np
from numpy.polynomial import chebyshev, hermite_e
from scipy import integrate, special

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


print("method,function,low,high,degree,x,value")
projections()
taylors()
minimaxes()
