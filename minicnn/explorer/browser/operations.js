// All operations by the names that Python gives them, and what one element is made of.

import { total } from "./numbers.js";
import { activation, curve, generalRelu } from "./operations/activations.js";
import { conv } from "./operations/conv.js";
import { dense } from "./operations/dense.js";
import {
  binaryCrossentropy,
  crossentropy,
  huber,
  meanAbsoluteError,
  meanSquaredError,
  sigmoidCrossentropy,
  softmaxCrossentropy,
} from "./operations/losses.js";
import { concatenate, extreme, fork, multiply, sum } from "./operations/merging.js";
import { normalization } from "./operations/normalization.js";
import { averagePool, maxPool } from "./operations/pooling.js";
import { resampling } from "./operations/resampling.js";
import { permute, reshape } from "./operations/reshaping.js";
import { scaling } from "./operations/scaling.js";

const unknown = {
  title: (step) => step.class,
  about: () => "The page cannot open this operation: its arrays are in the overview.",
  targets: {},
};

const OPERATIONS = {
  activation,
  average_pool: averagePool,
  binary_crossentropy: binaryCrossentropy,
  concatenate,
  conv,
  crossentropy,
  curve,
  dense,
  extreme,
  fork,
  general_relu: generalRelu,
  huber,
  max_pool: maxPool,
  mean_absolute_error: meanAbsoluteError,
  mean_squared_error: meanSquaredError,
  multiply,
  normalization,
  permute,
  resampling,
  reshape,
  scaling,
  sigmoid_crossentropy: sigmoidCrossentropy,
  softmax_crossentropy: softmaxCrossentropy,
  sum,
  unknown,
};

const of = (part, step) => (typeof part === "function" ? part(step) : part);

export const titleOf = (step) => of(OPERATIONS[step.kind].title, step);
export const aboutOf = (step) => OPERATIONS[step.kind].about(step);

/** What the page can explain: a target for each array that the operation computes, by the array's name. */
export const targetsOf = (step) => of(OPERATIONS[step.kind].targets, step);

/** The sign between the pictures of a target's factors. */
export const signOf = (step, target) => of(targetsOf(step)[target].sign ?? OPERATIONS[step.kind].sign ?? "", step);

/** Whether the pictures of its arrays have one scale, because the numbers are added as they are. */
export const hasOneScale = (step) => OPERATIONS[step.kind].hasOneScale ?? false;

/** What one element is made of, with the sum of the products as result unless there is another rule. */
export function explain(step, target, index) {
  const answer = targetsOf(step)[target].of(step, index);
  return {
    ...answer,
    result: answer.result ?? total(answer.terms.map(({ value }) => value)),
    stored: step.arrays[target].get(index),
  };
}
