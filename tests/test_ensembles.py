"""The four rules: answers calculated by hand, and properties that hold for any models."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn import ensembles

# Three models, three samples, three classes, in eighths. Votes: 0 0 1, then 0 1 2, then 2 2 2.
MODELS = np.array(
    [
        [[5, 2, 1], [4, 2, 2], [0, 1, 7]],
        [[4, 3, 1], [1, 6, 1], [2, 2, 4]],
        [[0, 8, 0], [1, 2, 5], [1, 1, 6]],
    ]
)


@st.composite
def models(draw):
    """Probabilities in quarters or 32nds, with many ties or few: sums of them are exact in any order."""
    shape, parts = (draw(st.integers(1, 5)), draw(st.integers(1, 4))), draw(st.sampled_from([4, 32]))
    classes, rng = draw(st.integers(2, 4)), np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.multinomial(parts, np.ones(classes) / classes, shape) / parts


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("average", [[9 / 24, 13 / 24, 2 / 24], [6 / 24, 10 / 24, 8 / 24], [3 / 24, 4 / 24, 17 / 24]]),
        ("maximum", [[5 / 8, 1, 1 / 8], [4 / 8, 6 / 8, 5 / 8], [2 / 8, 2 / 8, 7 / 8]]),
        # the first two models; then the one with the highest probability, as each class has one vote; then all
        ("voting average", [[9 / 16, 5 / 16, 2 / 16], [1 / 8, 6 / 8, 1 / 8], [3 / 24, 4 / 24, 17 / 24]]),
        ("voting proportion", [[2 / 3, 1 / 3, 0], [1 / 3, 1 / 3, 1 / 3], [0, 0, 1]]),
    ],
)
def test_rules_by_hand(rule, expected):
    np.testing.assert_allclose(ensembles.RULES[rule](MODELS / 8), expected)


def test_average_and_votes_can_disagree():
    """One sure model outweighs two hesitant ones on average, but not in a vote."""
    answers = {name: rule(MODELS / 8)[0].argmax() for name, rule in ensembles.RULES.items()}
    assert answers == {"average": 1, "maximum": 1, "voting average": 0, "voting proportion": 0}


@pytest.mark.parametrize("rule", ensembles.RULES)
@given(probabilities=models(), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_the_order_of_the_models_changes_nothing(rule, probabilities, seed):
    combine, shuffled = ensembles.RULES[rule], np.random.default_rng(seed).permutation(len(probabilities))
    np.testing.assert_allclose(combine(probabilities[shuffled]), combine(probabilities))


@pytest.mark.parametrize("rule", ensembles.RULES)
@given(probabilities=models(), copies=st.integers(1, 4))
@settings(max_examples=50, deadline=None)
def test_one_model_and_copies_of_it_are_that_model(rule, probabilities, copies):
    model = probabilities[0]
    expected = np.eye(model.shape[1])[model.argmax(axis=1)] if rule == "voting proportion" else model
    np.testing.assert_allclose(ensembles.RULES[rule]([model] * copies), expected)


@given(probabilities=models())
@settings(max_examples=100, deadline=None)
def test_sums_and_winners_of_the_rules(probabilities):
    for rule in (ensembles.average, ensembles.voting_average, ensembles.voting_proportion):
        np.testing.assert_allclose(rule(probabilities).sum(axis=1), 1)
    assert (ensembles.maximum(probabilities) >= ensembles.average(probabilities) - 1e-12).all()
    votes = ensembles.voting_proportion(probabilities)
    winner = ensembles.voting_average(probabilities).argmax(axis=1)
    np.testing.assert_array_equal(votes[np.arange(len(winner)), winner], votes.max(axis=1))


@given(probabilities=models())
@settings(max_examples=50, deadline=None)
def test_every_rule_agrees_with_models_that_agree(probabilities):
    answers = probabilities.argmax(axis=2)
    agreed = (answers == answers[0]).all(axis=0)
    for rule in ensembles.RULES.values():
        np.testing.assert_array_equal(rule(probabilities).argmax(axis=1)[agreed], answers[0][agreed])


@pytest.mark.parametrize("rule", ensembles.RULES)
@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        (np.ones((4, 3)) / 3, r"shape \(M, N, K\), found shape \(4, 3\)"),
        ([np.ones((4, 3)) / 3, np.ones((4, 2)) / 2], "cannot read"),
        (np.full((2, 4, 3), 1.5), "from 0 to 1, found values from 1.5 to 1.5"),
        (np.full((2, 4, 3), np.nan), "finite probabilities"),
        (np.ones((0, 4, 3)), "non-empty"),
    ],
)
def test_wrong_probabilities_are_named(rule, probabilities, message):
    with pytest.raises(ValueError, match=message) as error:
        ensembles.RULES[rule](probabilities)
    assert str(error.value).startswith(f"{rule.replace(' ', '_')}: probabilities: expected")
