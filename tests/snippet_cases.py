"""The table of the snippets: each function of tests/snippets with arguments to call it with.

The functions know nothing of this table, nor of what is done with them here.
"""

import numpy as np
from snippets import algorithms, dynamics, filters, finance, geometry, images, learning, optimisation, statistics

CHAPTERS = {
    "optimisation": optimisation, "dynamics": dynamics, "filters": filters, "statistics": statistics,
    "learning": learning, "images": images, "algorithms": algorithms, "finance": finance, "geometry": geometry,
}  # fmt: skip


def some(*shape):
    """Numbers of which no two are alike, all between -1 and 1; the same for the same shape."""
    return np.random.default_rng(list(shape)).uniform(-1, 1, shape)


def above(low, *shape):
    """Numbers that are larger than a bound."""
    return low + 0.1 + np.abs(some(*shape))


def definite(n):
    """A positive definite matrix."""
    a = some(n, n)
    return a @ a.T + n * np.eye(n)


def series(n):
    """A series with a trend, a season and noise."""
    return 2 + 0.1 * np.arange(n) + np.sin(2 * np.pi * np.arange(n) / 3) + 0.2 * some(n)


_labels = np.array([2, 0, 1, 2])
_links = np.array([[0.2, 1, 1], [1, 0.1, 0.5], [0.3, 1, 0.2]])
_pixels = (some(6, 6) + 1.05) / 2.2

#: Chapter: name: arguments.
ARGUMENTS = {
    "optimisation": {
        "ackley": (some(3),),
        "rastrigin": (some(4),),
        "himmelblau": (np.array([1.3, -0.4]),),
        "rosenbrock_slices": (some(5),),
        "rosenbrock_loop": (some(4),),
        "styblinski_tang": (some(3),),
        "beale": (1.2, 0.7),
        "griewank": (5 * some(4),),
        "levy": (2 * some(4),),
        "michalewicz": (1.5 + some(3),),
        "schwefel": (3 + some(3),),
        "rotated_ellipsoid": (some(4),),
        "easom": (np.array([2.5, 3.4]),),
        "hartmann": (above(0, 4) / 2,),
        "powell_singular": (some(8),),
        "penalised": (np.array([1.4, 0.9]), 3.0),
        "gradient_descent": (np.array([0.8, -0.5]), 0.1),
        "adam": (some(3), 0.1),
        "backtracking": (2 * some(3),),
        "simplex_projection": (some(5),),
        "soft_threshold": (2 * some(5), 0.6),
        "conjugate_gradient": (definite(3), some(3)),
        "gauss_newton": (np.array([1.5, 0.4]), np.linspace(0, 2, 5), above(0, 5)),
        "log_barrier": (some(2), some(4, 2), above(2, 4)),
    },
    "dynamics": {
        "lotka_volterra": (np.array([1.1, 0.4, 0.1, 0.4]), np.array([4.0, 3.0])),
        "lorenz": (np.array([1.0, 2.0, 20.0]), 10.0, 28.0, 8 / 3),
        "pendulum": (0.6, 1.3),
        "sir": (0.9, 0.2, np.array([0.97, 0.03, 0.0])),
        "van_der_pol": (1.3, np.array([1.0, 0.5])),
        "three_body": (2 * some(3, 2), some(3, 2), above(0.5, 3)),
        "nbody_energy": (3 * some(4, 3), above(0.2, 4)),
        "nbody_forces": (3 * some(4, 2), above(0.2, 4)),
        "lennard_jones": (2 * some(4, 3), 0.8, 0.9),
        "heat": (some(7), 0.2),
        "heat_implicit": (some(5), 0.3),
        "wave": (some(7), 0.5),
        "heat2d": (some(4, 4), 0.1),
        "burgers": (some(6), 0.05),
        "arrhenius": (np.array([5.0, 4.0]), np.array([10.0, 9.0]), np.array([1.0, 0.2, 0.1]), 350.0),
        "brusselator": (1.0, 2.5, (1.2, 1.9)),
        "spring_chain": (np.arange(5) + 0.3 * some(5), 2.0),
        "bouncing_ball": (1.5, 0.8),
        "fitzhugh_nagumo": (0.5, {"a": 0.7, "b": 0.8, "tau": 12.5}),
        "double_pendulum": (np.array([1.0, 0.7, 0.2, -0.1]), 1.0, 0.6),
        "kepler_equation": (above(0.2, 3), 0.3),
    },
    "filters": {
        "kalman_likelihood": (0.3, 0.5, series(5)),
        "kalman_joseph": (definite(3) / 5, definite(2) / 5, some(3, 2)),
        "extended_kalman": (0.2, np.array([[2.0, 1.5, 2.4], [2.1, 1.3, 2.2]]), np.array([[2.0, 1.0], [-1.0, 1.0], [0.0, -2.0]])),
        "unscented_transform": (np.array([2.0, 0.4]), some(2, 2)),
        "rts_smoother": (0.2, series(5)),
        "particle_weights": (some(5), 2 * some(5)),
        "exponential_smoothing": (series(6), 0.4),
        "holt_winters": (series(8), 0.3, 0.1, 0.2),
        "biquad": (some(8), np.array([0.2, 0.4, 0.2]), np.array([-0.6, 0.3])),
        "moving_average": (some(7),),
        "savitzky_golay": (some(8),),
        "lowpass_energy": (some(8), 0.2),
        "spectral_centroid": (some(8),),
        "autocorrelation": (some(8),),
        "complementary_filter": (some(4), above(0, 4, 2)),
        "innovation_covariance": (some(3, 2), some(3, 4), some(3)),
    },
    "statistics": {
        "t_statistic": (some(6), 0.5 + some(5)),
        "logsumexp": (3 * some(3, 4),),
        "gmm_log_likelihood": (some(3), 2 * some(3), 0.5 * some(3), 2 * some(7)),
        "linear_regression": (some(3), some(6, 3), some(6)),
        "logistic_regression": (some(3), some(6, 2), np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0])),
        "poisson_regression": (some(2), some(5, 2), np.array([0, 2, 1, 3, 1])),
        "gaussian_process": (0.3 * some(3), 2 * some(5), some(5)),
        "kernel_density": (some(3), some(6), 0.4),
        "ar2_likelihood": (np.array([0.5, -0.2]), 0.8, some(8)),
        "garch": (np.array([0.1, 0.2, 0.6]), some(6)),
        "bootstrap_means": (some(6),),
        "ridge": (some(6, 3), some(6), 0.3),
        "pca_error": (some(6, 3),),
        "huber": (3 * some(6),),
        "quantile_loss": (some(5), some(5, 5)[0], 0.3),
        "median_deviation": (some(7),),
        "interquartile": (some(8),),
        "trimmed_mean": (some(10),),
        "pearson": (some(5), some(5, 5)[1]),
        "correlation_matrix": (some(6, 3),),
        "mahalanobis": (some(3), some(7, 3)),
        "multivariate_normal": (some(3), some(3, 3)[0], some(3, 2)),
        "em_step": (np.array([-0.5, 0.6]), np.array([0.4, 0.7]), np.array([0.4, 0.6]), some(6)),
        "kl_divergence": (some(4), some(4, 4)[0]),
        "entropy_of_groups": (above(0, 6), np.array([0, 1, 1, 2, 0, 2])),
        "group_means": (some(6), np.array([0, 1, 1, 2, 0, 2])),
        "z_scores": (some(5, 2),),
        "weighted_histogram": (2 * some(7), above(0, 7)),
        "cox_partial_likelihood": (some(2), some(5, 2), np.array([1.0, 0.0, 1.0, 1.0, 0.0])),
        "isotonic": (some(6),),
        "skewness_kurtosis": (some(7),),
        "polynomial_fit": (np.linspace(-1, 1, 6) + 0.1 * some(6), some(6)),
        "least_squares": (some(5, 2), some(5)),
        "gini": (above(0, 6),),
        "lasso_coordinate_descent": (some(6, 3), some(6), 0.2),
        "distance_correlation": (some(5), some(5, 5)[2]),
    },
    "learning": {
        "softmax": (some(2, 3),),
        "mlp": ([(some(3, 4), some(4)), (some(4, 2), some(2))], some(2, 3)),
        "cross_entropy": (some(4, 3), _labels),
        "conv1d_loops": (some(6), some(3)),
        "conv2d_loops": (some(4, 4), some(2, 3)),
        "conv2d_windows": (some(2, 4, 4), some(2, 2, 2, 3), some(2)),
        "conv2d_im2col": (some(4, 5), some(2, 3)),
        "batchnorm": (some(5, 2), above(0, 2), some(2)),
        "layernorm": (some(2, 4), above(0, 4), some(4)),
        "attention": (some(3, 4), some(4, 2), some(4, 2) + 0.1, some(4, 3)),
        "multi_head_attention": (some(3, 4), some(4, 12)),
        "sigmoid": (some(3),),
        "lstm": (some(3, 2), some(4, 8), some(8)),
        "gru": (some(3, 2), {"U": some(2, 2), "V": some(4, 4), "W": some(2, 2) + 0.2}),
        "embedding": (some(5, 2), np.array([[0, 3, 3], [1, 4, 0]])),
        "max_pool": (some(4, 6),),
        "dropout": (some(2, 4), np.array([[True, False, True, True], [False, False, True, True]])),
        "gelu": (2 * some(5),),
        "leaky_relu": (some(6), 0.1),
        "network_of_objects": (some(3, 4), some(4, 2), above(0, 2, 3)),
        "train_linear": (some(2), some(5, 2), some(5)),
        "perceptron_loss": (some(2),),
        "positional_encoding": (some(3, 4), 100.0),
        "variational_loss": (some(3), some(3, 1)[:, 0], some(3, 3)[0]),
        "contrastive": (some(3, 4), some(4, 3).T, 0.5),
        "triplet": (some(3, 2), some(3, 2) + 0.2, some(2, 3).T),
        "graph_convolution": (some(4, 2), some(2, 3), np.array([[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0.0]])),
        "rbf_network": (some(3, 2), some(4, 2), above(0.2, 4), some(4)),
        "top_k": (some(5),),
        "focal_loss": (2 * some(5), np.array([1, 0, 0, 1, 1])),
        "rnn_out": (some(3, 2), some(2, 2)),
    },
    "images": {
        "sobel": (some(5, 5),),
        "bilinear": (some(5, 5), np.array([0.3, 2.6, 3.1]), np.array([1.2, 0.7, 3.4])),
        "total_variation": (some(4, 5),),
        "gaussian_blur": (some(3, 3), 0.8),
        "unsharp_mask": (_pixels, 0.4),
        "gamma_correction": (_pixels * np.where(some(6, 6) > 0.5, 0.002, 1), 2.4),
        "grey": (above(0, 2, 3, 3), above(0, 3)),
        "hsv_value_saturation": (above(0, 2, 3, 3),),
        "ssim": (above(0, 3, 3), above(0, 3, 4)[:, 1:]),
        "integral_image": (some(4, 4),),
        "median_filter": (some(8),),
        "downsample": (some(4, 4),),
        "rotate_crop": (some(5, 5),),
        "soft_histogram": (some(3, 4), np.array([-0.9, -0.3, 0.3, 0.9]), 0.7),
        "alpha_blend": (some(3, 2, 2), above(0, 3) / 2),
        "render_gaussians": (2 + some(3, 2), above(0.5, 3)),
        "optical_flow": (some(4, 4), some(4, 4) * 0.9 + 0.05 * some(4, 5)[:, 1:]),
        "seam_energy": (some(4, 4),),
    },
    "algorithms": {
        "soft_edit_distance": (some(3), some(4)),
        "soft_dtw": (some(3), some(4), 0.4),
        "dtw": (some(4), some(3)),
        "viterbi": (some(3, 3), some(3, 4), np.array([0, 3, 1, 2])),
        "hmm_forward": (above(0, 3, 3), above(0, 3, 4), np.array([0.2, 0.5, 0.3]), np.array([1, 0, 3, 3])),
        "soft_knapsack": (above(0, 4), np.array([2, 1, 3, 2])),
        "floyd_warshall": (above(0.3, 4, 4),),
        "bellman_ford": (above(0.1, 5), np.array([[0, 1], [0, 2], [1, 2], [2, 3], [1, 3]]), 4),
        "thomas": (some(4), above(3, 5), some(4) * 0.7, some(5)),
        "gauss_elimination": (some(4, 4), some(4)),
        "lu_determinant": (definite(3),),
        "cholesky_by_hand": (definite(3),),
        "gram_schmidt": (some(4, 3),),
        "power_iteration": (np.array([[4.0, 1.0, 0.2], [1.0, 1.5, 0.1], [0.2, 0.1, 0.5]]),),
        "jacobi": (definite(3) + 3 * np.eye(3), some(3)),
        "newton_sqrt": (3.7,),
        "bisection": (5.3,),
        "fixed_point": (0.5,),
        "secant": (0.7, 1.9),
        "simpson": (0.2, 1.9, 0.7),
        "trapezoid": (0.1, 1.3),
        "gauss_legendre": (0.2, 1.5, 2.2),
        "monte_carlo": (1.3,),
        "horner": (some(5), 0.7),
        "chebyshev": (some(5), some(4)),
        "lagrange": (np.array([0.1, 0.9, 2.1, 3.2]), some(4), 1.4),
        "cubic_spline": (some(6),),
        "de_casteljau": (some(4, 2), 0.3),
        "sinkhorn": (above(0, 3, 4), 0.5),
        "page_rank": (_links, 0.85),
        "kmeans_step": (some(7, 2), np.array([[-0.5, 0.2], [0.6, -0.3]])),
        "value_iteration": (some(3, 2), 0.9, np.full((3, 2, 3), 1 / 3) + 0.2 * some(3, 2, 3)),
        "interpolation_table": (np.array([0.13, 0.55, 0.91]), some(6)),
        "piecewise_curve": (np.array([-0.7, 0.4, 1.6, 0.9]),),
        "selected_curve": (np.array([-1.7, 0.4, 1.6, -0.9]),),
        "norms_along": (some(3, 4),),
        "vectorized_step": (some(5), 0.3),
        "submatrix": (some(4, 4), [0, 2, 3]),
        "mesh_integral": (0.8, 1.3),
        "longest_increase": (some(6),),
        "max_subarray": (some(7),),
        "insertion_sort": (some(5),),
        "recursive_fft_power": (some(8),),
        "continued_fraction": (0.8,),
        "game_of_soft_life": ((some(4, 4) + 1) / 2,),
    },
    "finance": {
        "norm_cdf": (np.array([-1.2, 0.3, 2.0]),),
        "black_scholes": (100.0, 105.0, 0.7, 0.02, 0.3),
        "black_scholes_erf": (100.0, 105.0, 0.7, 0.02, 0.3),
        "binomial_tree": (100.0, 105.0, 0.02, 0.3),
        "yield_curve": (np.array([0.01, 0.015, 0.02, 0.03]), np.array([0.7, 1.7, 2.7, 3.7])),
        "drawdown": (0.3 * some(8),),
        "sharpe": (above(0, 3), 0.02 * some(8, 3) + 0.01),
        "markowitz": (some(3), definite(3), 2.0),
        "internal_rate": (np.array([-10.0, 3.0, 4.0, 5.0]),),
        "asian_option": (100.0, 0.3, some(5, 4)),
        "value_at_risk": (above(0, 2), 0.1 * some(10, 2)),
        "implied_volatility": (6.3,),
        "mortgage": (1000.0, 0.04, 20.0),
        "tax": (57.3, np.array([0.0, 0.2, 0.35, 0.45])),
        "vasicek": (np.array([0.5, 0.03, 0.02]), 0.03 + 0.01 * some(6)),
        "moving_crossover": (100 + np.cumsum(3 * some(10)),),
        "nelson_siegel": (np.array([0.03, -0.01, 0.02]), 1.7, np.array([0.5, 1.0, 5.0])),
    },
    "geometry": {
        "robot_arm": (np.array([0.3, -0.6, 1.1]), np.array([1.0, 0.8, 0.5])),
        "planar_arm": (some(3), above(0.3, 3)),
        "quaternion_rotate": (some(4), some(3)),
        "quaternion_product": (some(4), some(4, 4)[0]),
        "rodrigues": (some(3),),
        "euler_angles": (0.3, -0.5, 1.2),
        "camera": (some(4, 3) + np.array([0, 0, 4.0]), 0.3 * some(6), 1.5),
        "homography": (np.eye(3) + 0.1 * some(3, 3), some(4, 2)),
        "triangle_area": (some(3), some(3, 3)[0], some(3, 3)[1]),
        "polygon": (np.array([[0.0, 0.1], [2.0, -0.2], [2.5, 1.4], [0.7, 2.0]]),),
        "bearing": (52.5, 13.4, 48.9, 2.4),
        "pairwise_distances": (some(3, 2), some(4, 2)),
        "procrustes": (some(5, 3), some(5, 3)[::-1]),
        "plane_fit": (some(5, 3) * np.array([3.0, 2.0, 0.3]),),
        "ray_sphere": (np.array([0.1, -0.2, -4.0]), np.array([0.05, 0.1, 1.0]), np.array([0.0, 0.1, 0.3]), 1.3),
        "signed_distance": (np.array([1.15, 0.62]),),
        "lighting": (above(0, 4, 3), np.array([1.0, 2.0, 3.0]), np.array([0.2, 0.1, 1.0]), 5.0),
        "inverse_kinematics": (np.array([1.1, 0.9]), np.array([1.0, 0.7, 0.4]), np.array([0.3, 0.5, 0.2])),
        "catmull_rom": (some(4, 2), 0.4),
        "truss": (np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.9], [1.5, 1.0]]), above(1, 5)),
    },
}

#: Every snippet: "chapter.function": (function, arguments).
SNIPPETS = {
    f"{chapter}.{name}": (getattr(CHAPTERS[chapter], name), arguments)
    for chapter, table in ARGUMENTS.items()
    for name, arguments in table.items()
}

#: What cannot be traced so far: a pattern of the error it must end with.  Never a wrong number.
NOT_YET = {
    "filters.lowpass_energy": r"fft\.rfft cannot be traced yet",
    "filters.spectral_centroid": r"fft\.rfft cannot be traced yet",
}
