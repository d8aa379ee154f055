"""Sixty made-up patients, and what other implementations say of them.

The values were computed once, in an environment of their own (Python 3.11: `pip install
scikit-survival==0.28.0 SurvivalEVAL==0.9.0 dcurves==1.1.7 MLstatkit==0.1.91`), for several of them
are under the GPL. Risks have one decimal and times are whole months, so that there are ties; the
training patients' times lie between, where all agree on the censoring weights. `predicted` is
exp(-t/30 exp(risk)).

    tr, y = Surv.from_arrays(TRAIN_EVENT, TRAIN_MONTHS), Surv.from_arrays(EVENT, MONTHS)
    concordance_index_censored(EVENT, MONTHS, RISK)              # sksurv.metrics
    concordance_index_ipcw(tr, y, RISK, 60)
    cumulative_dynamic_auc(tr, y, RISK, [12, 24, 48])
    brier_score(tr, y, predicted, [12, 24, 36, 48, 60]); integrated_brier_score(...)
    d_calibration(predicted at MONTHS, EVENT, 10)                # SurvivalEVAL
    dca(frame, "event", ["model"], thresholds=[.2, .5, .8], time=24, ...)    # dcurves
    Delong_test(EVENT & (MONTHS <= 24), RISK, OTHER)             # MLstatkit: z of OTHER - RISK, p
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gliomaai_training.survival.outcome import Outcome, outcome


def _numbers(text: str) -> NDArray[np.float64]:
    return np.array(text.split(), np.float64)


RISK = _numbers("""
-0.8 0.2 -1.9 1.4 0.6 -0.3 -0.3 0.3 -0.3 -0.2 0.7 0.5 -0.1 -0.1 0.2 -0.6 -0.4 0.5 -0.1 -1.4 -0.5
0.7 -0.2 -0.1 0.6 1.8 -0.7 1.3 -1.2 0.2 -1.2 1.4 0.8 1.1 -0.9 0.7 -0.5 -0.5 0.5 0.9 0.2 -0.6
-0.8 1.4 0.6 0.7 2.2 -0.8 2.6 3.2 1.6 0.8 -0.7 1 -0.4 -0 -0.3 0.3 1.3 -0.6
""")
OTHER = _numbers("""
0.3 0.8 -0.8 0.7 1.4 0.8 0.5 0.1 -4 0.4 0.8 0.1 0.7 0.2 0.4 -2.1 -1.9 0.9 -0 -1.3 -0.3 1.1 -0.2
0.1 0.9 2.7 -1.2 2.1 -0.6 0.3 -1.7 1.8 1.7 0 -0.8 0.8 -1.2 -1.1 -1.1 -0.2 -1.3 -1.2 -1.4 0.9 1
0.5 1.5 -1.5 1.5 3 1.4 2.4 0.8 2.5 1.7 -1.2 0.4 1.1 1.8 1.5
""")
MONTHS = _numbers("""
92 13 64 12 12 82 34 18 74 56 3 17 7 35 14 16 29 6 3 17 16 15 34 102 9 28 31 25 19 44 40 5 13 50
19 12 49 44 7 11 9 18 9 22 19 27 1 38 1 1 3 3 6 7 24 6 67 22 3 68
""")
EVENT = _numbers("""
0 1 0 1 1 1 1 1 0 1 1 1 1 1 1 0 1 1 1 0 1 1 0 0 1 1 0 1 0 1 1 1 1 1 1 1 1 0 1 1 0 0 1 1 1 1 1 1
1 1 1 1 1 1 1 1 1 1 1 1
""")
TRAIN_MONTHS = _numbers("""
10.5 6.5 41.5 70.5 67.5 36.5 30.5 40.5 12.5 15.5 5.5 50.5 8.5 14.5 11.5 19.5 1.5 12.5 4.5 34.5
18.5 79.5 52.5 8.5 58.5 36.5 26.5 70.5 29.5 9.5 21.5 3.5 1.5 27.5 20.5 37.5 11.5 12.5 21.5 2.5
8.5 2.5 13.5 103.5 1.5 7.5 2.5 6.5 14.5 6.5 3.5 48.5 14.5 26.5 5.5 40.5 8.5 2.5 4.5 16.5 41.5
30.5 6.5 5.5 3.5 1.5 14.5 7.5 6.5 9.5 19.5 10.5 61.5 62.5 32.5 20.5 4.5 11.5 34.5 17.5
""")
TRAIN_EVENT = _numbers("""
1 0 1 0 1 0 0 0 0 1 1 1 1 0 1 0 1 1 1 1 1 0 1 1 0 0 0 1 0 1 1 1 1 0 1 1 1 1 1 1 1 1 1 0 1 1 1 1
1 0 1 0 1 0 1 0 1 1 1 1 1 0 1 1 1 1 1 0 1 1 0 1 0 1 1 1 1 1 1 0
""")
HARRELL = 0.7358306188925081
HARRELL_OTHER = 0.6876221498371335
UNO_TAU_60 = 0.7208563196769339
AUC = {12.0: 0.7867995921158536, 24.0: 0.7606593211859415, 48.0: 0.7639075931700068}
BRIER = {
    12.0: 0.18527143789990083,
    24.0: 0.20219384577490152,
    36.0: 0.17049686529100141,
    48.0: 0.20213630810530148,
    60.0: 0.1781579142431708,
}
INTEGRATED_BRIER = 0.18913542381068504
D_CALIBRATION = (7.39024926493147, 0.5965583095620972)
D_CALIBRATION_COUNTS = _numbers("""
7.47265139579 7.22917164687 3.66089242741 8.4425667794 6.98426907445 8.95559506535 5.78106420226
4.3618992713 5.11189013716 2
""")
NET_BENEFIT = {
    ("model", 0.2): 0.46609600051440325,
    ("model", 0.5): 0.35499999999999987,
    ("model", 0.8): -0.01666666666666672,
    ("all", 0.2): 0.4613851597930834,
    ("all", 0.5): 0.13821625566893347,
    ("all", 0.8): -1.1544593608276668,
}
DELONG = (-0.34926245805176337, 0.7268922800393378)


def patients() -> Outcome:
    return outcome(MONTHS, EVENT)


def training_patients() -> Outcome:
    return outcome(TRAIN_MONTHS, TRAIN_EVENT)


def predicted(months: ArrayLike) -> NDArray[np.float64]:
    """Survival of every patient: (60, k) at k times, (60,) at one or at each one's own."""
    times = np.asarray(months, np.float64)
    hazard = np.exp(RISK)
    if times.shape in ((), hazard.shape):
        return np.asarray(np.exp(-times / 30 * hazard))
    return np.exp(-times / 30 * hazard[:, None])
