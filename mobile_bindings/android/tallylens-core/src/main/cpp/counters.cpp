// Detections to counts.
#include "frame_result.h"
#include "functions.h"

static_assert(sizeof(tally_visit) == 16 && sizeof(tally_withheld) == 64);
static_assert(sizeof(tally_finding) == 88);

namespace tally::jni {
namespace {

jint counterDefaults(JNIEnv* env, Class, jobject out) {
  auto* options = Span(env, out).as<tally_counter_options>(0);
  if (options == nullptr) return TALLY_INVALID_ARGUMENT;
  options->struct_size = sizeof *options;
  return tally_counter_defaults(options);
}

jint counterCreate(JNIEnv* env, Class, jobject options, jobject out) {
  const Span result(env, out);
  const auto* wanted = Span(env, options).as<tally_counter_options>(0);
  if (wanted == nullptr || result.bytes < 8) return TALLY_INVALID_ARGUMENT;
  tally_counter* counter = nullptr;
  const int32_t status =
      tally_counter_create(wanted, &counter, reinterpret_cast<char*>(result.data), result.bytes);
  return created(status, counter, result);
}

void counterDestroy(JNIEnv*, Class, jlong counter) {
  tally_counter_destroy(pointer<tally_counter>(counter));
}

jstring counterError(JNIEnv* env, Class, jlong counter) {
  return text(env, tally_counter_error(pointer<tally_counter>(counter)));
}

jint counterAddRegion(JNIEnv* env, Class, jlong counter, jstring kind, jobject points, jint count,
                      jint extend, jfloat min_dwell_s) {
  const Span given(env, points);
  const auto* corners = given.as<tally_point>(0, static_cast<size_t>(count < 0 ? 0 : count));
  const Utf8 rule(env, kind);
  tally_region_options options{};
  options.struct_size = sizeof options;
  tally_region_defaults(&options);
  options.extend = extend;
  options.min_dwell_s = min_dwell_s;
  int32_t index = 0;
  return tally_counter_add_region(pointer<tally_counter>(counter), rule.get(), corners, count,
                                  &options, &index);
}

jint counterIgnore(JNIEnv* env, Class, jlong counter, jobject points, jint count) {
  const auto* corners =
      Span(env, points).as<tally_point>(0, static_cast<size_t>(count < 0 ? 0 : count));
  return tally_counter_ignore(pointer<tally_counter>(counter), corners, count);
}

jint counterWantClasses(JNIEnv* env, Class, jlong counter, jobject ids, jint count) {
  const auto* wanted = Span(env, ids).as<int32_t>(0, static_cast<size_t>(count < 0 ? 0 : count));
  return tally_counter_want_classes(pointer<tally_counter>(counter), wanted, count);
}

jint counterWithhold(JNIEnv*, Class, jlong counter) {
  return tally_counter_withhold(pointer<tally_counter>(counter));
}

// The detections are the first `count` of the buffer, which receives tracks and events.
jint counterUpdate(JNIEnv* env, Class, jlong counter, jlong timestamp, jint count, jobject out) {
  FrameBuffer result(Span(env, out));
  if (result.result == nullptr || count < 0 || count > result.result->detections_capacity)
    return TALLY_INVALID_ARGUMENT;
  auto* totals = pointer<tally_counter>(counter);
  result.result->num_detections = count;
  Stopwatch watch;
  int32_t status = tally_counter_update(totals, timestamp, result.detections, count);
  if (status == TALLY_OK) status = take(totals, &result);
  result.result->count_ns = watch.lap();
  return status;
}

// Tracks and events of the last call that did not fit.
jint counterTake(JNIEnv* env, Class, jlong counter, jobject out) {
  FrameBuffer result(Span(env, out));
  if (result.result == nullptr) return TALLY_INVALID_ARGUMENT;
  return take(pointer<tally_counter>(counter), &result);
}

jint counterConclude(JNIEnv*, Class, jlong counter) {
  return tally_counter_conclude(pointer<tally_counter>(counter));
}

jint counterReset(JNIEnv*, Class, jlong counter) {
  return tally_counter_reset(pointer<tally_counter>(counter));
}

jint counterUnique(JNIEnv* env, Class, jlong counter, jint classes, jobject out) {
  auto* totals = Span(env, out).as<int64_t>(0, static_cast<size_t>(classes < 0 ? 0 : classes));
  return tally_counter_unique(pointer<tally_counter>(counter), totals, classes);
}

jint counterReturned(JNIEnv* env, Class, jlong counter, jint classes, jobject out) {
  auto* totals = Span(env, out).as<int64_t>(0, static_cast<size_t>(classes < 0 ? 0 : classes));
  return tally_counter_returned(pointer<tally_counter>(counter), totals, classes);
}

// out: the numbers of objects seen and of returns, then arrays of both, `capacity` long.
jint counterReturns(JNIEnv* env, Class, jlong counter, jint capacity, jobject out) {
  const Span result(env, out);
  const auto length = static_cast<size_t>(capacity < 0 ? 0 : capacity);
  auto* counts = result.as<int32_t>(0, 2);
  auto* seen = result.as<tally_seen>(8, length);
  auto* returns = result.as<tally_return>(8 + length * sizeof(tally_seen), length);
  if (counts == nullptr || returns == nullptr) return TALLY_INVALID_ARGUMENT;
  auto* totals = pointer<tally_counter>(counter);
  const int32_t status = tally_counter_seen(totals, seen, capacity, counts);
  const int32_t others = tally_counter_returns(totals, returns, capacity, counts + 1);
  return status != TALLY_OK ? status : others;
}

// values: the numbers by class, then the objects seen, then the returns.
jint counterRestoreReturns(JNIEnv* env, Class, jlong counter, jint classes, jint seen, jint returns,
                           jobject values) {
  if (classes < 0 || seen < 0 || returns < 0) return TALLY_INVALID_ARGUMENT;
  const Span given(env, values);
  const size_t after_numbers = static_cast<size_t>(classes) * sizeof(int64_t);
  const size_t after_seen = after_numbers + static_cast<size_t>(seen) * sizeof(tally_seen);
  const auto* pairs = given.as<tally_return>(after_seen, static_cast<size_t>(returns));
  if (pairs == nullptr) return TALLY_INVALID_ARGUMENT;
  return tally_counter_restore_returns(pointer<tally_counter>(counter), given.as<int64_t>(0),
                                       classes, given.as<tally_seen>(after_numbers, 0), seen, pairs,
                                       returns);
}

/// Where `read` writes `capacity` items behind 8 bytes for their number.
template <typename Item, typename Read>
jint read_items(const Span& result, jint capacity, const Read& read) {
  auto* count = result.as<int32_t>(0);
  auto* items = result.as<Item>(8, static_cast<size_t>(capacity < 0 ? 0 : capacity));
  if (count == nullptr || items == nullptr) return TALLY_INVALID_ARGUMENT;
  return read(items, count);
}

// out: 8 bytes for the number of events, then `capacity` of them.
jint counterWithheld(JNIEnv* env, Class, jlong counter, jint capacity, jobject out) {
  return read_items<tally_withheld>(Span(env, out), capacity, [&](auto* items, int32_t* count) {
    return tally_counter_withheld(pointer<tally_counter>(counter), items, capacity, count);
  });
}

jint counterRestoreWithheld(JNIEnv* env, Class, jlong counter, jobject events, jint count) {
  const auto* given =
      Span(env, events).as<tally_withheld>(0, static_cast<size_t>(count < 0 ? 0 : count));
  return tally_counter_restore_withheld(pointer<tally_counter>(counter), given, count);
}

// out: 8 bytes for the number of findings, then `capacity` of them.
jint counterFindings(JNIEnv* env, Class, jlong counter, jint capacity, jobject out) {
  return read_items<tally_finding>(Span(env, out), capacity, [&](auto* items, int32_t* count) {
    return tally_counter_findings(pointer<tally_counter>(counter), items, capacity, count);
  });
}

jint counterDetected(JNIEnv* env, Class, jlong counter, jint classes, jobject out) {
  auto* totals = Span(env, out).as<int64_t>(0, static_cast<size_t>(classes < 0 ? 0 : classes));
  return tally_counter_detected(pointer<tally_counter>(counter), totals, classes);
}

jint counterRegionTotal(JNIEnv* env, Class, jlong counter, jstring kind, jint index, jint total,
                        jint classes, jobject out) {
  auto* totals = Span(env, out).as<int64_t>(0, static_cast<size_t>(classes < 0 ? 0 : classes));
  const Utf8 rule(env, kind);
  return tally_counter_region_total(pointer<tally_counter>(counter), rule.get(), index, total,
                                    totals, classes);
}

jint counterRegionValue(JNIEnv* env, Class, jlong counter, jstring kind, jint index, jint value,
                        jobject out) {
  const Utf8 rule(env, kind);
  return tally_counter_region_value(pointer<tally_counter>(counter), rule.get(), index, value,
                                    Span(env, out).as<double>(0));
}

jint counterDiagnostics(JNIEnv* env, Class, jlong counter, jobject out) {
  auto* facts = Span(env, out).as<tally_diagnostics>(0);
  if (facts == nullptr) return TALLY_INVALID_ARGUMENT;
  facts->struct_size = sizeof *facts;
  return tally_counter_diagnostics(pointer<tally_counter>(counter), facts);
}

// out: 8 bytes for the size, then the state.
jint counterSave(JNIEnv* env, Class, jlong counter, jobject out) {
  const Span result(env, out);
  auto* size = result.as<int64_t>(0);
  if (size == nullptr) return TALLY_INVALID_ARGUMENT;
  size_t written = 0;
  const int32_t status = tally_counter_save(pointer<tally_counter>(counter), result.data + 8,
                                            result.bytes - 8, &written);
  *size = static_cast<int64_t>(written);
  return status;
}

jint counterRestore(JNIEnv* env, Class, jlong counter, jobject state, jlong size) {
  const Span given(env, state);
  if (size < 0 || static_cast<size_t>(size) > given.bytes) return TALLY_INVALID_ARGUMENT;
  return tally_counter_restore(pointer<tally_counter>(counter), given.data,
                               static_cast<size_t>(size));
}

const JNINativeMethod kFunctions[] = {
    FUNCTION(counterDefaults, "(" BUFFER ")I"),
    FUNCTION(counterCreate, "(" BUFFER BUFFER ")I"),
    FUNCTION(counterDestroy, "(J)V"),
    FUNCTION(counterError, "(J)" STRING),
    FUNCTION(counterAddRegion, "(J" STRING BUFFER "II"
                               "F)I"),
    FUNCTION(counterIgnore, "(J" BUFFER "I)I"),
    FUNCTION(counterWantClasses, "(J" BUFFER "I)I"),
    FUNCTION(counterWithhold, "(J)I"),
    FUNCTION(counterUpdate, "(JJI" BUFFER ")I"),
    FUNCTION(counterTake, "(J" BUFFER ")I"),
    FUNCTION(counterConclude, "(J)I"),
    FUNCTION(counterReset, "(J)I"),
    FUNCTION(counterUnique, "(JI" BUFFER ")I"),
    FUNCTION(counterReturned, "(JI" BUFFER ")I"),
    FUNCTION(counterReturns, "(JI" BUFFER ")I"),
    FUNCTION(counterRestoreReturns, "(JIII" BUFFER ")I"),
    FUNCTION(counterWithheld, "(JI" BUFFER ")I"),
    FUNCTION(counterRestoreWithheld, "(J" BUFFER "I)I"),
    FUNCTION(counterFindings, "(JI" BUFFER ")I"),
    FUNCTION(counterDetected, "(JI" BUFFER ")I"),
    FUNCTION(counterRegionTotal, "(J" STRING "III" BUFFER ")I"),
    FUNCTION(counterRegionValue, "(J" STRING "II" BUFFER ")I"),
    FUNCTION(counterDiagnostics, "(J" BUFFER ")I"),
    FUNCTION(counterSave, "(J" BUFFER ")I"),
    FUNCTION(counterRestore, "(J" BUFFER "J)I"),
};

}  // namespace

Table counter_functions() { return {kFunctions, sizeof kFunctions / sizeof *kFunctions}; }

}  // namespace tally::jni
