// Which frames are processed, and at which input size.
#include "functions.h"
#include "memory.h"

static_assert(sizeof(tally_level_change) == 32 && sizeof(tally_governor_state) == 32);
static_assert(sizeof(tally_governor_options) == 24);

namespace tally::jni {
namespace {

jint governorCreate(JNIEnv* env, Class, jint sizes, jdouble budget_ms, jdouble max_fps,
                    jobject out) {
  const Span result(env, out);
  if (result.bytes < 8) return TALLY_INVALID_ARGUMENT;
  tally_governor_options options{};
  options.struct_size = sizeof options;
  tally_governor_defaults(&options);
  options.num_sizes = sizes;
  options.budget_ms = budget_ms;
  options.max_fps = max_fps;
  tally_governor* governor = nullptr;
  const int32_t status = tally_governor_create(&options, &governor,
                                               reinterpret_cast<char*>(result.data), result.bytes);
  return created(status, governor, result);
}

void governorDestroy(JNIEnv*, Class, jlong governor) {
  tally_governor_destroy(pointer<tally_governor>(governor));
}

// The reason why not, 0 if the frame is wanted; a negative status on a failure.
jint governorWants(JNIEnv*, Class, jlong governor, jlong timestamp) {
  int32_t wanted = 0, reason = 0;
  const int32_t status =
      tally_governor_wants(pointer<tally_governor>(governor), timestamp, &wanted, &reason);
  if (status != TALLY_OK) return -status;
  return wanted != 0 ? 0 : reason;
}

jint governorLearn(JNIEnv*, Class, jlong governor, jlong timestamp, jdouble latency_ms) {
  return tally_governor_learn(pointer<tally_governor>(governor), timestamp, latency_ms);
}

jint governorSetThermal(JNIEnv*, Class, jlong governor, jint thermal) {
  return tally_governor_set_thermal(pointer<tally_governor>(governor), thermal);
}

jint governorSetHeadroom(JNIEnv*, Class, jlong governor, jdouble headroom) {
  return tally_governor_set_headroom(pointer<tally_governor>(governor), headroom);
}

jint governorState(JNIEnv* env, Class, jlong governor, jobject out) {
  auto* state = Span(env, out).as<tally_governor_state>(0);
  if (state == nullptr) return TALLY_INVALID_ARGUMENT;
  state->struct_size = sizeof *state;
  return tally_governor_get_state(pointer<tally_governor>(governor), state);
}

// The number of changes in `out`; a negative status on a failure.
jint governorTakeChanges(JNIEnv* env, Class, jlong governor, jint capacity, jobject out) {
  auto* changes =
      Span(env, out).as<tally_level_change>(0, static_cast<size_t>(capacity < 0 ? 0 : capacity));
  int32_t count = 0;
  const int32_t status = tally_governor_take_changes(pointer<tally_governor>(governor), changes,
                                                     changes != nullptr ? capacity : 0, &count);
  return status == TALLY_OK ? count : -status;
}

const JNINativeMethod kFunctions[] = {
    FUNCTION(governorCreate, "(IDD" BUFFER ")I"),
    FUNCTION(governorDestroy, "(J)V"),
    FUNCTION(governorWants, "(JJ)I"),
    FUNCTION(governorLearn, "(JJD)I"),
    FUNCTION(governorSetThermal, "(JI)I"),
    FUNCTION(governorSetHeadroom, "(JD)I"),
    FUNCTION(governorState, "(J" BUFFER ")I"),
    FUNCTION(governorTakeChanges, "(JI" BUFFER ")I"),
};

}  // namespace

Table governor_functions() { return {kFunctions, sizeof kFunctions / sizeof *kFunctions}; }

}  // namespace tally::jni
