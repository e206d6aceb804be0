import { total } from "./numbers.js";
import { activation, curve, generalRelu } from "./operations/activations.js";
import { conv } from "./operations/conv.js";
import { dense } from "./operations/dense.js";
import { dropout } from "./operations/dropout.js";
import { crossentropy, meanSquaredError, softmaxCrossentropy } from "./operations/losses.js";
import { batchNorm } from "./operations/normalization.js";
import { averagePool, maxPool } from "./operations/pooling.js";
import { flatten } from "./operations/reshaping.js";

const unknown = { title: (step) => step.class, about: () => "The page cannot open this operation: its arrays are in the overview.", targets: {} };

export const OPERATIONS = {
  conv, dense, activation, curve, general_relu: generalRelu, max_pool: maxPool, average_pool: averagePool, batch_norm: batchNorm, dropout, flatten,
  softmax_crossentropy: softmaxCrossentropy, crossentropy, mean_squared_error: meanSquaredError, unknown,
};

/** What one element is made of: OPERATIONS' answer, with the sum of the products as result unless there is another rule. */
export function explain(step, target, index) {
  const answer = OPERATIONS[step.kind].targets[target].of(step, index);
  return { ...answer, result: answer.result ?? total(answer.terms.map(({ value }) => value)), stored: step.arrays[target].get(index) };
}

export const titleOf = (step) => { const { title } = OPERATIONS[step.kind]; return typeof title === "function" ? title(step) : title; };
