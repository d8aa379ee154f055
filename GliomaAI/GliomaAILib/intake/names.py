"""What series descriptions and file names say of a sequence, in the habits of many hospitals.

Names are free text typed by people and vendors. Each is brought to lower-case words and searched
for words of a sequence, of a contrast agent and of its absence, and of kinds of images that are
none of the four sequences. What is found is told in this module's words, never in the text's own:
a series description can hold a patient's name.
"""

import re
from dataclasses import dataclass

from GliomaAILib.intake.evidence import Evidence, favouring

CERTAIN = 0.97
T1_WITHOUT_WORD_ON_CONTRAST = {"t1": 0.82, "t1gd": 0.16, "t2": 0.01, "flair": 0.01}
"""'AX T1' is nearly always before contrast, but not all hospitals say when it is after."""
CONTRAST_ONLY = {"t1": 0.04, "t1gd": 0.84, "t2": 0.04, "flair": 0.08}


@dataclass(frozen=True)
class OtherKind:
    """A kind of image that is none of the four sequences."""

    code: str
    words: str


def _any(*words: str) -> re.Pattern[str]:
    return re.compile(r"(?<![a-z0-9])(?:" + "|".join(words) + r")(?![a-z0-9])")


_FLAIR = _any(
    r"(?:t2w? ?|3d|2d|ir ?)?flair(?:w|3d|2d|fs)?",
    r"fl(?:a)?r",
    r"dark ?fluid\w*",
    r"darkfl\w*",
    r"t2 ?f",
    r"t2 ?tirm",
    r"tirm ?(?:t2|tra|ax|dark)\w*",
    r"liquor ?suppr\w*",
    r"fluid ?att\w*",
    r"vista ?flair",
    r"t2 ?dark",
    r"水抑制",
    r"黑水",
)
_T1_FLAIR = _any(r"t1w? ?(?:\w+ )?flair", r"flair ?t1w?")
_T2 = _any(
    r"(?:ax|tra|sag|cor)?t2w?",
    r"t2 ?w(?:eighted|i)?",
    r"(?:t|f)?se ?t2\w*",
    r"t2\w{0,6}tse",
    r"t2 ?(?:tse|fse|space|cube|vista|frfse|blade|propeller|drive|haste)\w*",
)
_T1 = _any(
    r"(?:ax|tra|sag|cor)?t1w?n?",
    r"t1 ?w(?:eighted|i)?",
    r"\w*mp ?rage\w*",
    r"mp2rage",
    r"f?spgr\w*",
    r"bravo",
    r"t(?:1 ?)?fl(?:ash)?3?d?",
    r"vibe",
    r"3d ?t1\w*",
    r"t1\w{0,8}",
    r"(?:3d)?tfe(?:3d)?",
    r"thrive",
    r"ir ?prep",
)
_T1_WITH_CONTRAST = _any(
    r"t1 ?(?:w )?(?:ce|gd|gad|gado|c|km|post|pc|kontrast|contrast|enh)\w*",
    r"ce ?t1w?",
    r"c ?t1w?",
    r"t1ce",
    r"t1c",
    r"t1gd",
    r"gd ?t1",
    r"t1 ?(?:\w+ ){0,4}c\+",
    r"ct1",
)
_CONTRAST = re.compile(
    r"\+ ?c(?![a-z])|(?<![a-z])c ?\+|\+ ?(?:gd|gad|km|contr)|增强|造影|(?<![a-z0-9])(?:"
    r"km|gd\w{0,5}|gad\w*|ce|contr?ast\w*|kontra[sc]\w*|contraste|contrasto|post(?!erior)\w*|"
    r"dotarem|magnevist|prohance|multihance|clariscan|vueway|elucirem|omniscan|primovist|"
    r"mdc|inj\w*|enhanced|nach km|po ?k|civ|c iv|cte|контраст\w*|\u0441 ку|efter|après)"
    r"(?![a-z0-9])"
)
_NO_CONTRAST = re.compile(
    r"(?<![a-z0-9])(?:pre(?! ?sat)\w*|nativ\w*|unenhanced|plain|ohne|vor|w ?/? ?o|without|"
    r"non? ?(?:-|enhanced|contrast\w*)|no ?c|sans|sin|sem|senza|bez|без|zonder|uten|utan|basal\w*|"
    r"nekontrast\w*|sc|-c)(?![a-z0-9])|平扫|(?<![a-z])c-|(?<![a-z])- ?c(?![a-z])"
)
_BOTH = re.compile(r"w ?(?:/|&|and|\+)? ?w ?/? ?o(?![a-z])|with (?:and|&) without|mit und ohne")

_PROCESSED = _any(
    r"bias(?: ?corr\w*)?",
    r"n4\w*",
    r"norm(?:alized|alised)?",
    r"mpr\w*",
    r"reformat\w*",
    r"rfmt",
    r"reg(?:istered)?",
    r"resampled",
    r"denoised",
    r"bet",
    r"brain extr\w*",
    r"stripped",
    r"filt\w*",
    r"derived",
    r"recon\w*",
)

_OTHER: tuple[tuple[re.Pattern[str], OtherKind], ...] = (
    (
        _any(
            r"loc\w*",
            r"scout\w*",
            r"survey\w*",
            r"3 ?p(?:lane|l)\w*",
            r"topogram",
            r"smart ?brain",
            r"pilot",
            r"übersicht\w*",
            r"plan scan",
            r"aahead\w*",
            r"aascout",
        ),
        OtherKind("localiser", "a localiser"),
    ),
    (
        re.compile(
            r"(?<![a-z0-9])(?:\w*seg(?:mentation|mented)?s?|\w*masks?|labels?(?:map)?|"
            r"aparc\w*|aseg|\w*maske|roi\w*|annotation\w*)(?![a-z])"
        ),
        OtherKind("segmentation", "a segmentation or mask"),
    ),
    (
        _any(
            r"e?adc\w*",
            r"apparent\w*",
            r"avdc",
            r"isotropic",
            r"trace\w*",
            r"dwi\w*",
            r"diff\w*",
            r"\w*dti\w*",
            r"tensor\w*",
            r"b ?\d{3,4}\w*",
            r"b0",
            r"hardi",
            r"dki",
            r"noddi",
            r"resolve",
            r"fa",
            r"md",
            r"colfa",
            r"(?:dti|eddy)\w*",
            r"kurt\w*",
            r"(?:[rt]|cal)?dif\w*",
            r"eddy",
        ),
        OtherKind("diffusion", "a diffusion image or map"),
    ),
    (
        _any(
            r"swi\w*",
            r"swan\w*",
            r"swip",
            r"ven ?bold",
            r"qsm",
            r"t2 ?(?:\*|star)\w*",
            r"hemo\w*",
            r"häm\w*",
            r"medic",
            r"t2 ?ffe",
            r"sw[mip]",
            r"phase",
            r"pha",
            r"magnitude ima\w*",
            r"gre t2",
            r"t2 ?gre",
            r"susc\w*",
            r"minip",
        ),
        OtherKind("susceptibility", "a susceptibility image"),
    ),
    (
        _any(
            r"perf\w*",
            r"dsc\w*",
            r"dce\w*",
            r"pwi",
            r"(?:rel|[nr])?cb[vf]\w*",
            r"mtt",
            r"ttp",
            r"tmax",
            r"k ?trans",
            r"asl\w*",
            r"pcasl\w*",
            r"pasl\w*",
            r"gbp",
            r"pbp",
            r"leakage",
            r"psr",
            r"ph",
            r"ve",
            r"kep",
            r"perfusi\w*",
        ),
        OtherKind("perfusion", "a perfusion image or map"),
    ),
    (
        _any(
            r"\w*tof\w*",
            r"mra",
            r"mrv",
            r"\w*angio\w*",
            r"pca\w*",
            r"venogra\w*",
            r"tricks",
            r"twist",
            r"phase contrast",
        ),
        OtherKind("angiography", "an angiography"),
    ),
    (
        _any(r"spectro\w*", r"mrs", r"csi\w*", r"svs\w*", r"press", r"mrsi"),
        OtherKind("spectroscopy", "a spectroscopy"),
    ),
    (
        _any(r"bold\w*", r"f ?mri\w*", r"resting\w*", r"rs ?fmri", r"task\w*"),
        OtherKind("functional", "a functional series"),
    ),
    (
        _any(r"mip\w*", r"subtr\w*", r"sub", r"difference"),
        OtherKind("derived", "a projection or a subtraction"),
    ),
    (
        _any(
            r"t1 ?map\w*",
            r"t2 ?map\w*",
            r"pd ?map",
            r"r1 ?map",
            r"r2 ?map",
            r"\w*qmap\w*",
            r"t1rho",
            r"synthetic \w+ map",
            r"field ?map\w*",
            r"b0 ?map",
            r"b1 ?map",
            r"calib\w*",
            r"ref ?scan",
            r"coil ?sens\w*",
            r"sense ?ref\w*",
            r"asset\w*",
            r"shim\w*",
            r"gre ?field\w*",
        ),
        OtherKind("map", "a parameter map or calibration"),
    ),
    (
        _any(
            r"stir",
            r"fiesta\w*",
            r"ciss\w*",
            r"trufi\w*",
            r"bffe",
            r"b ffe",
            r"dir",
            r"double ?inversion",
        ),
        OtherKind("other_contrast", "another contrast than the four"),
    ),
    (
        _any(r"pd ?w?", r"pd ?(?:tse|fse|fs)\w*", r"proton\w*", r"dp"),
        OtherKind("proton_density", "a proton density image"),
    ),
    (
        _any(
            r"screen ?save\w*",
            r"screen ?shot\w*",
            r"report\w*",
            r"dose\w*",
            r"presentation\w*",
            r"key ?image\w*",
            r"secondary\w*",
            r"summary\w*",
        ),
        OtherKind("pictures", "a report or screen pictures"),
    ),
)


def words_of(text: str) -> str:
    """Lower-case words parted by single spaces; +, -, * and / keep their meaning."""
    text = re.sub(r"([a-z])([A-Z])(?=[a-z])", r"\1 \2", text).lower()
    text = re.sub(r"[_.,;:()\[\]{}=^]+", " ", text)
    text = re.sub(r"(?<=\w)-(?=\w)", " ", text)
    return re.sub(r"\s+", " ", text).strip()


def names_processing(text: str) -> bool:
    """Whether a text tells of an image computed from another one of the study."""
    return _PROCESSED.search(words_of(text)) is not None


def other_kind(text: str) -> OtherKind | None:
    """The kind of image a text names when that is none of the four sequences."""
    words = words_of(text)
    return next((kind for pattern, kind in _OTHER if pattern.search(words)), None)


def name_evidence(text: str) -> Evidence | None:
    """What a description or file name says of the sequence; None when it says nothing."""
    words = words_of(text)
    contrast = _contrast(words)
    if _FLAIR.search(words) and not _T1_FLAIR.search(words):
        return favouring("flair", CERTAIN, "named FLAIR", "name")
    if _T1_WITH_CONTRAST.search(words) and contrast is not False:
        return favouring("t1gd", CERTAIN, "named T1 with contrast agent", "name")
    if _T1.search(words) or _T1_FLAIR.search(words):
        return _t1_evidence(contrast)
    if _T2.search(words):
        return favouring("t2", CERTAIN, "named T2", "name")
    if contrast:
        return Evidence(CONTRAST_ONLY, "named as after contrast agent", "name")
    return None


def _t1_evidence(contrast: bool | None) -> Evidence:
    if contrast is None:
        return Evidence(T1_WITHOUT_WORD_ON_CONTRAST, "named T1", "name")
    if contrast:
        return favouring("t1gd", CERTAIN, "named T1 with contrast agent", "name")
    return favouring("t1", CERTAIN, "named T1 without contrast agent", "name")


def _contrast(words: str) -> bool | None:
    """Whether a text says with (True) or without (False) contrast agent; None: it does not say."""
    words = _BOTH.sub(" ", words)
    if _NO_CONTRAST.search(words):
        return False
    return True if _CONTRAST.search(words) else None
