#include "ops/adamw.h"

#include <gtest/gtest.h>

#include <cmath>

#include "testing/compare.h"
#include "testing/gpu.h"
#include "testing/poison.h"

namespace eyrie {
namespace {

// The header's formulas in double, one element at a time.
struct Element {
  double weight, first, second;
  void update(const AdamW& op, double gradient, int64_t step) {
    const double g = op.gradient_scale * gradient;
    first = op.beta1 * first + (1 - op.beta1) * g;
    second = op.beta2 * second + (1 - op.beta2) * g * g;
    const double unbiased = first / (1 - std::pow(op.beta1, step));
    const double root = std::sqrt(second / (1 - std::pow(op.beta2, step)));
    weight -= op.learning_rate * (unbiased / (root + op.epsilon) + op.weight_decay * weight);
  }
};

TEST(AdamW, FollowsItsFormulaOverSteps) {
  testing::CaseMemory memory("adamw");
  const Shape shape = {7, 37};
  AdamW op;
  op.weight = memory.normal("weight", shape), op.gradient = memory.normal("gradient", shape, 3.0);
  op.first_moment = memory.zeros("first", shape), op.second_moment = memory.zeros("second", shape);
  op.gradient_scale = 0.25, op.learning_rate = 0.01, op.weight_decay = 0.1, op.epsilon = 1e-3;
  std::vector<Element> elements;
  for (const double weight : testing::to_doubles(op.weight)) elements.push_back({weight, 0, 0});
  const std::vector<double> gradient = testing::to_doubles(op.gradient);
  Exec exec;
  for (op.step = 1; op.step <= 5; ++op.step) {
    adamw(exec, op);
    for (size_t i = 0; i < elements.size(); ++i) elements[i].update(op, gradient[i], op.step);
  }
  std::vector<double> weight, first, second;
  for (const Element& one : elements)
    weight.push_back(one.weight), first.push_back(one.first), second.push_back(one.second);
  for (const auto& result : {testing::compare("weight", op.weight, weight, {1e-6, 1e-5}),
                             testing::compare("first", op.first_moment, first, {1e-6, 1e-5}),
                             testing::compare("second", op.second_moment, second, {1e-6, 1e-5})})
    EXPECT_TRUE(result.passed()) << result.text();
  EXPECT_TRUE(memory.broken_guards().empty());
}

TEST(AdamW, ShapesMustAgree) {
  const Buffer weight = Buffer::zeros(DType::f32, {4}), other = Buffer::zeros(DType::f32, {5});
  Exec exec;
  AdamW op;
  op.weight = op.first_moment = op.second_moment = weight, op.gradient = other;
  EXPECT_THROW(adamw(exec, op), Error);
}

TEST(AdamW, AWorkingCopyIsAGpus) {
  const Buffer weight = Buffer::zeros(DType::f32, {4}), working = Buffer::zeros(DType::bf16, {4});
  Exec exec;
  AdamW op;
  op.weight = op.first_moment = op.second_moment = weight, op.gradient = weight, op.working = working;
  EXPECT_THROW(adamw(exec, op), Error);
}

class GpuAdamW : public testing::GpuTest {};

TEST_F(GpuAdamW, HasTheCpusBitsAndRoundsThemIntoTheWorkingCopy) {
  Exec exec(Device::cuda), cpu;
  for (const Shape& shape : {Shape{0}, Shape{3, 7}, Shape{64, 1001}}) {
    testing::CaseMemory there("adamw", exec), here("adamw");
    AdamW gpu_op, cpu_op;
    for (auto [memory, op] : {std::pair(&there, &gpu_op), std::pair(&here, &cpu_op)}) {
      op->weight = memory->normal("weight", shape), op->gradient = memory->normal("gradient", shape, 3.0);
      op->first_moment = memory->zeros("first", shape), op->second_moment = memory->zeros("second", shape);
      op->gradient_scale = 0.3, op->learning_rate = 0.01, op->weight_decay = 0.1;
    }
    gpu_op.working = there.output("working", shape, DType::bf16);
    for (int64_t step = 1; step <= 3; ++step) {
      gpu_op.step = cpu_op.step = step;
      adamw(exec, gpu_op);
      adamw(cpu, cpu_op);
    }
    for (const auto& result :
         {testing::compare_bits("weight", gpu_op.weight, cpu_op.weight),
          testing::compare_bits("first", gpu_op.first_moment, cpu_op.first_moment),
          testing::compare_bits("second", gpu_op.second_moment, cpu_op.second_moment),
          testing::compare_bits("working", gpu_op.working, Buffer::copy_of(cpu_op.weight, DType::bf16))})
      EXPECT_TRUE(result.passed()) << result.text();
    EXPECT_TRUE(there.broken_guards().empty());
  }
}

}  // namespace
}  // namespace eyrie
