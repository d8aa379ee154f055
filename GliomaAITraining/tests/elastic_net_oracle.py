"""Sixty made-up patients with tied times, and scikit-survival's elastic net of them.

The values were computed once, in an environment of its own (Python 3.11: `pip install
scikit-survival==0.28.0`), for it is under the GPL:

    scaled = (FEATURES - FEATURES.mean(0)) / FEATURES.std(0)
    net = CoxnetSurvivalAnalysis(l1_ratio=..., n_alphas=4, alpha_min_ratio=0.05, tol=1e-14,
                                 max_iter=1_000_000)
    net.fit(scaled, Surv.from_arrays(EVENT, MONTHS)); net.alphas_; net.coef_
"""

import numpy as np

from gliomaai_training.survival.outcome import outcome

_generator = np.random.default_rng(20260)
FEATURES = np.round(_generator.normal(size=(60, 8)), 3)
# The second feature follows the first, as radiomics features do.
FEATURES[:, 1] = np.round(0.8 * FEATURES[:, 0] + 0.6 * FEATURES[:, 1], 3)
_hazard = np.exp(0.9 * FEATURES[:, 0] - 0.6 * FEATURES[:, 3])
_death = np.ceil(_generator.exponential(1 / _hazard) * 48) / 2
_leaving = np.ceil(_generator.uniform(6, 60, 60) * 2) / 2
FOLLOWED = outcome(np.minimum(_death, _leaving), _death <= _leaving)

PATHS = {
    1.0: (
        [0.480333907, 0.176956524, 0.065191341, 0.024016695],
        [
            [0.0000000, 0.4426331, 0.7260640, 0.8938479],
            [0.0000000, 0.2902298, 0.3733619, 0.4197713],
            [0.0000000, 0.0000000, 0.0000000, 0.0527298],
            [0.0000000, -0.0816597, -0.4214111, -0.6081238],
            [0.0000000, 0.0000000, 0.0000000, 0.0000000],
            [0.0000000, 0.0000000, -0.0964108, -0.2444918],
            [0.0000000, 0.0000000, 0.0241866, 0.1306899],
            [0.0000000, 0.0000000, 0.0000000, 0.0000000],
        ],
    ),
    0.5: (
        [0.960667814, 0.353913049, 0.130382682, 0.048033391],
        [
            [0.0000000, 0.3233382, 0.5709167, 0.7765712],
            [0.0000000, 0.2747199, 0.4125079, 0.4649601],
            [0.0000000, 0.0000000, 0.0000000, 0.0347702],
            [0.0000000, -0.0512062, -0.3257175, -0.5398398],
            [0.0000000, 0.0000000, 0.0000000, 0.0000000],
            [0.0000000, 0.0000000, -0.0594082, -0.2131859],
            [0.0000000, 0.0000000, 0.0194179, 0.1175497],
            [0.0000000, 0.0000000, 0.0000000, 0.0000000],
        ],
    ),
    0.1: (
        [4.803339070, 1.769565243, 0.651913410, 0.240166954],
        [
            [0.0000000, 0.1274183, 0.3054475, 0.4942765],
            [0.0000000, 0.1158172, 0.2790604, 0.4294775],
            [0.0000000, 0.0000000, 0.0000000, 0.0000000],
            [0.0000000, -0.0160470, -0.1355368, -0.3082502],
            [0.0000000, 0.0000000, 0.0000000, 0.0000000],
            [0.0000000, 0.0000000, 0.0000000, -0.0870872],
            [0.0000000, 0.0000000, 0.0024615, 0.0692110],
            [0.0000000, 0.0000000, 0.0000000, -0.0082160],
        ],
    ),
}
"""By l1_ratio: four lambdas, and (8, 4) coefficients of the scaled features."""
