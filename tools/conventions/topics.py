"""Linear algebra, complex numbers, special functions, statistics; and behaviour that is not a number."""

import math

from wengert.tools.conventions.row import Behaviour, choice, exact, refused

INF, NAN = math.inf, math.nan
LINALG_TEXT = """\
- **One triangle stands for both.** NumPy's `cholesky`, `eigh` and `eigvalsh` (and `pinv` of a hermitian matrix)
  read one triangle. They are taken to be functions of the hermitian part: both triangles share the derivative, so
  the gradient of a function of a symmetric matrix is symmetric. Of a matrix that is filled in one triangle only,
  that is the derivative at the symmetric one.
- **Determinants** are polynomials: their derivatives, to any order, are exact for matrices of every rank.
- **Singular matrices**: `solve` and `inv` raise NumPy's LinAlgError, at your line; the derivative of `slogdet` is
  NaN.
- **Ranks stay what they are** in `pinv` and `lstsq` (singular values below the cutoff are zeros, and stay zeros).
- **Equal eigenvalues or singular values**, as far as rounding can tell (a gap of 4 n eps of the largest): the
  values have the derivative in the basis that NumPy found, diag(V* dA V). Their vectors may be turned into each
  other, and have none: what depends on that turn is NaN, also where another formula would give a number (a matrix
  function written with `eigh`).
- **What completes a basis** (`svd` with `full_matrices=True`, `qr` with `mode="complete"`) has values, and no
  derivative; the rest of the factorization has one.
- **Norms** of zero have derivative 0. A 2-norm whose squares overflow is inf, as in NumPy, with infinite slope.\
"""
COMPLEX_TEXT = """\
For a real function u of z = a + ib the gradient is du/da - i du/db.\
"""
SPECIAL_TEXT = """\
As for every other op: exact where the slope exists, infinite at a pole.\
"""
BASIS = "Each eigenvalue moves with its own vector of NumPy's basis."
ADJUGATE = "The adjugate, which needs no inverse."
SINGULAR = "A singular matrix has no inverse, and NumPy raises the same."
RANK = "What is below the cutoff is a zero, and stays one."
NORM_MIDDLE = "The middle of all slopes, as for abs."
LOG_SHARES = "The slopes are the shares of exp(x), and ties share."
BETWEEN = "The two elements in the middle share."
COUNTS = "A NaN counts, also beside a zero."
RATIO = "0 / 0 has no logarithm; and it is 0 for x = 0, or y."
WHOLE = "SciPy truncates the order."

LINALG_ROWS = (
    exact("46", "np.linalg.norm(x, 1)", [0.0, 1.0], 1.0, [0.0, 1.0], "The kink of abs has 0."),
    choice("47", "np.linalg.norm(x, np.inf)", [2.0, 2.0], 2.0, [0.5, 0.5], "Ties share equally."),
    choice("48", "np.linalg.norm(x, 3)", [0.0, 0.0], 0.0, [0.0, 0.0], NORM_MIDDLE),
    choice("98", "np.array([1.0, 10.0]) @ np.linalg.eigvalsh(x)", [[2.0, 0.0], [0.0, 2.0]], 22.0,
           [[1.0, 0.0], [0.0, 10.0]], BASIS),
    choice("99", "np.sum(np.linalg.eigh(x)[1])", [[2.0, 0.0], [0.0, 2.0]], 2.0, [[0.0, NAN], [NAN, 0.0]],
           "The vectors turn infinitely fast where eigenvalues meet; what leaves them apart turns none."),
    exact("100", "np.array([1.0, 10.0]) @ np.linalg.eigvalsh(x)", [[2.0, 1.0], [1.0, 2.0]], 31.0,
          [[5.5, 4.5], [4.5, 5.5]], "Both triangles move together, whichever is read."),
    choice("101", "np.array([1.0, 10.0]) @ np.linalg.svd(x, compute_uv=False)", [[2.0, 0.0], [0.0, 2.0]], 22.0,
           [[1.0, 0.0], [0.0, 10.0]], BASIS),
    choice("102", "np.array([1.0, 10.0]) @ np.linalg.svd(x, compute_uv=False)", [[0.0, 0.0], [0.0, 0.0]], 0.0,
           [[1.0, 0.0], [0.0, 10.0]], BASIS),
    exact("103", "np.linalg.det(x)", [[1.0, 2.0], [2.0, 4.0]], 0.0, [[4.0, -2.0], [-2.0, 1.0]], ADJUGATE),
    exact("104", "np.linalg.det(x)", [[0.0] * 3] * 3, 0.0, 0.0, ADJUGATE),
    exact("105", "np.linalg.det(x)", [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]], 0.0, 0.0,
          ADJUGATE),
    choice("106", "np.linalg.slogdet(x)[1]", [[1.0, 2.0], [2.0, 4.0]], -INF, NAN,
           "The transposed inverse, which a singular matrix has not."),
    choice("l1", "np.sum(np.linalg.pinv(x, hermitian=True))", [[2.0, 9.0], [0.0, 4.0]], 0.75,
           [[-0.25, -0.125], [-0.125, -0.0625]], "NumPy reads the lower triangle; both share."),
    choice("l2", "np.sum(np.linalg.lstsq(x, np.array([1.0, 1.0]), rcond=1e-6)[0])", [[1.0, 0.0], [0.0, 2.0**-30]], 1.0,
           [[-1.0, 1.0], [1.0, 0.0]], RANK),
    choice("l3", "np.sum(np.linalg.lstsq(x, np.array([1.0, 1.0, 0.0]), rcond=None)[0])",
           [[1.0, 0.0], [0.0, 2.0**-51], [0.0, 0.0]], 1.0, [[-1.0, 1.0], [1.0, 0.0], [0.0, 0.0]], RANK),
    exact("l4", "np.linalg.eigh(x)[1][1, 0]", [[2.0**-70, 0.0], [0.0, 3 * 2.0**-70]], 0.0,
          [[0.0, -(2.0**68)], [-(2.0**68), 0.0]], "Small eigenvalues are as far apart as large ones."),
    choice("l5", "np.linalg.eigh(x)[1][1, 0]", [[-1.0, 0.0], [0.0, 2.0**-49 - 1]], 0.0, [[0.0, NAN], [NAN, 0.0]],
           "A gap of 4 n eps is none."),
    choice("l6", "np.linalg.svd(x, full_matrices=False)[0][1, 0]", [[0.0], [0.0]], 0.0, [[0.0], [NAN]],
           "The vector of a zero may point anywhere."),
    refused("107", "np.linalg.inv(x)", [[1.0, 2.0], [2.0, 4.0]], ValueError, SINGULAR),
    exact("108", "np.sum(np.linalg.cholesky(x) * np.array([[0.375, 0.0], [0.25, 0.5]]))",
          [[1.0, 0.0], [0.0, 1.0]], 0.875, [[0.1875, 0.125], [0.125, 0.25]],
          "Both triangles move together."),
    exact("T48", "np.linalg.det(x)", [[1.0, 2.0], [2.0, 4.0]], 0.0, [[4.0, -2.0], [-2.0, 1.0]], ADJUGATE),
    exact("T49", "np.linalg.det(x)", [[0.0, 0.0], [0.0, 0.0]], 0.0, 0.0, ADJUGATE),
    exact("T50", "np.linalg.det(x)", [[1.0, 0.0], [0.0, 0.0]], 0.0, [[0.0, 0.0], [0.0, 1.0]], ADJUGATE),
)  # fmt: skip

COMPLEX_ROWS = (
    choice("109", "np.abs(x)", 0j, 0.0, 0j, "The middle of all slopes, as for reals."),
    exact("110", "np.abs(x)", 3 + 4j, 5.0, 0.6 - 0.8j, "conj(z) / |z|, as du/da - i du/db has it."),
    exact("111", "np.real(x**2)", 1 + 2j, -3.0, 2 + 4j, "2 z."),
    choice("112", "np.angle(x)", 0j, 0.0, complex(NAN, NAN), "No limit exists, as for arctan2."),
    choice("113", "np.real(np.sqrt(x))", 0j, 0.0, complex(NAN, NAN),
           "1 / (2 sqrt(z)), where 0 has no direction."),
    exact("114", "np.real(np.conj(x))", 1 - 2j, 1.0, 1 + 0j, "u is a."),
    choice("115", "np.real(np.log(x))", 0j, -INF, complex(INF, NAN), "1 / z, where 0 has no direction."),
)  # fmt: skip

SPECIAL_ROWS = (
    choice("77", "np.logaddexp.reduce(x)", [-INF, -INF], -INF, [0.5, 0.5], LOG_SHARES),
    exact("78", "np.logaddexp.reduce(x)", [1000.0, 1000.0], 1000.6931471805599, [0.5, 0.5],
          LOG_SHARES),
    exact("79", "np.logaddexp.reduce(x)", [INF, 0.0], INF, [1.0, 0.0], LOG_SHARES),
    exact("93", "np.cumprod(x)", [2.0, 0.0, 3.0], [2.0, 0.0, 0.0], [1.0, 8.0, 0.0],
          "Products of the others."),
    exact("94", "np.cumprod(x)", [0.0, 0.0, 3.0], 0.0, [1.0, 0.0, 0.0], "Products of the others."),
    exact("T53", "np.cumprod(x)[-1]", [2.0, 0.0, 3.0], 0.0, [0.0, 6.0, 0.0],
          "Products of the others."),
    exact("c1", "np.cumprod(x * np.ones(3))[1]", 0.0, 0.0, 2.0, "It is x**2.", order=2),
    exact("85", "np.sinc(x)", 0.0, 1.0, 0.0, "The largest value, of a smooth function."),
    exact("86", "np.sinc(x)", 0.0, 1.0, -math.pi**2 / 3, "By its Taylor series.", order=2),
    exact("T8", "np.sinc(x)", 0.0, 1.0, -math.pi**2 / 3, "By its Taylor series.", order=2),
    exact("T9", "np.sinc(x)", 0.0, 1.0, math.pi**4 / 5, "By its Taylor series.", order=4),
    choice("50", "np.median(x)", [1.0, 2.0, 2.0, 5.0], 2.0, [0.0, 0.5, 0.5, 0.0], BETWEEN),
    choice("139", "np.percentile(x, 50)", [1.0, 2.0, 2.0, 5.0], 2.0, [0.0, 0.5, 0.5, 0.0], BETWEEN),
    choice("135", "np.interp(x, np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 5.0]))", 1.0, 1.0, 4.0,
           "At a knot NumPy takes the piece on the right."),
    exact("137", "np.nansum(x)", [1.0, NAN], 1.0, [1.0, 0.0], "The NaN is left out."),
    choice("138", "np.nanmax(x)", [NAN, NAN], NAN, 0.0, "Each NaN is left out."),
    exact("88", "special.xlogy(x, y)", (0.0, 0.0), 0.0, (-INF, 0.0),
          "log(y); and it is 0 for x = 0, whatever y."),
    exact("s1", "special.xlogy(x, y)", (2.0, 0.0), -INF, (-INF, INF), "log(y) and x / y."),
    choice("s2", "special.xlogy(x, y)", (0.0, NAN), NAN, (NAN, NAN), COUNTS),
    exact("s3", "special.xlog1py(x, y)", (0.0, -1.0), 0.0, (-INF, 0.0), "As xlogy."),
    exact("s4", "special.xlog1py(x, y)", (2.0, -1.0), -INF, (-INF, INF), "log1p(y) and x / (1 + y)."),
    choice("s5", "special.xlog1py(x, y)", (0.0, NAN), NAN, (NAN, NAN), COUNTS),
    choice("s6", "special.rel_entr(x, y)", (0.0, 0.0), 0.0, (NAN, 0.0), RATIO),
    exact("s7", "special.rel_entr(x, y)", (2.0, 0.0), INF, (INF, -INF), "1 + log(x / y) and -x / y."),
    choice("s8", "special.rel_entr(x, y)", (0.0, NAN), NAN, (NAN, NAN), COUNTS),
    choice("s9", "special.kl_div(x, y)", (0.0, 0.0), 0.0, (NAN, 1.0), RATIO),
    exact("s10", "special.kl_div(x, y)", (2.0, 0.0), INF, (INF, -INF), "log(x / y) and 1 - x / y."),
    choice("s11", "special.kl_div(x, y)", (0.0, NAN), NAN, (NAN, NAN), COUNTS),
    choice("s12", "special.pseudo_huber(x, y)", (0.0, -2.0), 0.0, (2.0, 0.0), "abs(y), and it is 0 for every y."),
    choice("s13", "special.pseudo_huber(x, y)", (0.0, 0.0), 0.0, (0.0, 0.0), "abs(y), and it is 0 for every y."),
    exact("s14", "special.ellipk(x)", 1.0, INF, INF, "The limit of the slopes."),
    exact("s15", "special.ellipkm1(x)", 0.0, INF, -INF, "The limit of the slopes."),
    choice("s16", "special.gammainc(12.0, x)", 0.0, 0.0, 0.0, "It begins as x**12."),
    choice("s17", "special.kn(2.5, x)", 1.0, 1.6248388986351774, -3.851585027467589, WHOLE),
    choice("s18", "special.yn(2.5, x)", 1.0, -1.6506826068162546, 2.52015239233222, WHOLE),
    choice("s19", "special.expn(2.5, x)", 1.0, 0.14849550677592205, -0.21938393439552029, WHOLE),
    exact("89", "special.entr(x)", 0.0, 0.0, INF, "-1 - log(x)."),
    choice("140", "special.gammaln(x)", 0.0, INF, -INF, "The limit from the right."),
    exact("141", "special.erfinv(x)", 1.0, INF, INF, "The limit of the slopes."),
    exact("142", "np.i0(x)", 0.0, 1.0, 0.0, "I1(0) is 0: the function is even."),
    exact("T6", "np.i0(x)", 0.0, 1.0, 0.0, "I1(0) is 0: the function is even."),
    exact("T7", "special.i1(x)", 0.0, 0.0, 0.5, "By its Taylor series."),
    exact("T35", "special.expit(x)", 40.0, 1.0, 4.248354255291589e-18,
          "p (1 - p), without cancelling 1 - p."),
    exact("T38", "special.erf(x)", 6.0, 1.0, 2 * math.exp(-36) / math.sqrt(math.pi),
          "2 exp(-x**2) / sqrt(pi)."),
)  # fmt: skip

BEHAVIOUR = (
    Behaviour("B1", "an integer argument of `grad`", "A Python int is read as a real; an integer array is an error "
              "that names the argument, since its slope would not fit into it.", "test_integers"),
    Behaviour("B2", "a big-endian array `>f8`", "Accepted; the gradient is in native order.", "test_big_endian"),
    Behaviour("B3", "a negative stride `a[::-1]`", "Accepted by every backend.", "test_negative_strides"),
    Behaviour("B4", "float32", "The gradient has the dtype of its argument.", "test_float32"),
    Behaviour("B5", "item assignment", "Traced, as NumPy has it, views included.", "test_item_assignment"),
    Behaviour("B6", "`if x > 0` while tracing", "The branch taken is recorded as a guard: where it fails, another "
              "path is traced, and a loaded graph raises.", "test_a_python_branch"),
    Behaviour("B7", "a traced value used after its trace", "An error, never a number.", "test_a_leaked_value"),
    Behaviour("B8", "NumPy 2's promotion", "Reproduced, value for value and dtype for dtype.", "test_promotion_facts"),
)  # fmt: skip
