#include "engine_options.h"

#include <cstring>
#include <string>

#include "engine.h"

namespace tally::engine {
namespace {

constexpr int kMaxThreads = 64;
constexpr int kMaxSide = 8192;

void check(const tally_engine_options& options) {
  const auto refuse = [](const char* name, int value, const char* range) {
    fail(TALLY_INVALID_ARGUMENT,
         std::string(name) + " is " + std::to_string(value) + "; use " + range);
  };
  if (options.accelerator < TALLY_ENGINE_CPU || options.accelerator > TALLY_ENGINE_NPU)
    refuse("accelerator", options.accelerator, "0 (CPU), 1 (GPU) or 2 (NPU)");
  if (options.num_threads < 1 || options.num_threads > kMaxThreads)
    refuse("num_threads", options.num_threads, "1 to 64");
  if (options.input_width < 0 || options.input_width > kMaxSide)
    refuse("input_width", options.input_width, "0 to 8192");
  if (options.input_height < 0 || options.input_height > kMaxSide)
    refuse("input_height", options.input_height, "0 to 8192");
  if ((options.input_width == 0) != (options.input_height == 0))
    fail(TALLY_INVALID_ARGUMENT, "only one side of the input is given; give both or none");
}

}  // namespace

tally_engine_options default_options() {
  tally_engine_options options{};
  options.struct_size = sizeof options;
  options.accelerator = TALLY_ENGINE_CPU;
  options.num_threads = 1;
  return options;
}

tally_engine_options complete(const tally_engine_options* given) {
  tally_engine_options options = default_options();
  if (given == nullptr) return options;
  if (!is_known_size<tally_engine_options>(given->struct_size))
    fail(TALLY_UNSUPPORTED_SIZE, tally_engine_status_text(TALLY_UNSUPPORTED_SIZE));
  std::memcpy(&options, given, given->struct_size);
  options.struct_size = sizeof options;
  check(options);
  return options;
}

}  // namespace tally::engine
