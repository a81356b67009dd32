// Where a frame goes: the decision, the link, waiting times of files, answers that came too late.
#include "functions.h"
#include "image.h"
#include "memory.h"

static_assert(sizeof(tally_offload_facts) == 96 && sizeof(tally_offload_static_facts) == 40);
static_assert(sizeof(tally_link_state) == 128 && sizeof(tally_average) == 24);
static_assert(sizeof(tally_decision) == 8 && sizeof(tally_detection) == 24);

namespace tally::jni {
namespace {

/// Options with their defaults, of a type that begins with struct_size.
template <typename Options>
Options defaults(tally_status (*fill)(Options*)) {
  Options options{};
  options.struct_size = sizeof options;
  fill(&options);
  return options;
}

/// The first `count` detections of a buffer; nullptr if it is shorter.
tally_detection* rows(const Span& buffer, jint count) {
  return count < 0 ? nullptr : buffer.as<tally_detection>(0, static_cast<size_t>(count));
}

template <typename Made, typename Options>
jint make(tally_status (*create)(const Options*, Made**, char*, size_t), const Options& options,
          const Span& out) {
  if (out.bytes < 8) return TALLY_INVALID_ARGUMENT;
  Made* made = nullptr;
  const int32_t status = create(&options, &made, reinterpret_cast<char*>(out.data), out.bytes);
  return created(status, made, out);
}

// ---- the decision ------------------------------------------------------------------------------

// out: the 5 features, then the reward.
jint offloadReward(JNIEnv* env, Class, jobject detections, jint count, jobject out) {
  const auto* found = rows(Span(env, detections), count);
  auto* numbers = Span(env, out).as<double>(0, 6);
  if (found == nullptr || numbers == nullptr) return TALLY_INVALID_ARGUMENT;
  return tally_offload_reward(found, count, numbers, &numbers[5]);
}

// The reason to send every frame, 0 for none; a negative status on a failure.
jint offloadStaticReason(JNIEnv*, Class, jint live, jlong model_bytes, jlong memory_bytes,
                         jdouble local_s, jdouble cloud_s) {
  tally_offload_static_facts facts{};
  facts.struct_size = sizeof facts;
  facts.live = live;
  facts.model_bytes = model_bytes;
  facts.memory_bytes = memory_bytes;
  facts.local_s = local_s;
  facts.cloud_s = cloud_s;
  int32_t reason = 0;
  const int32_t status = tally_offload_static_reason(&facts, &reason);
  return status == TALLY_OK ? reason : -status;
}

jint offloadCreate(JNIEnv* env, Class, jint mode, jdouble share, jobject out) {
  auto options = defaults(tally_offload_defaults);
  options.mode = mode;
  options.share = share;
  return make(tally_offload_create, options, Span(env, out));
}

void offloadDestroy(JNIEnv*, Class, jlong offload) {
  tally_offload_destroy(pointer<tally_offload>(offload));
}

// out: the cells, a byte each.
jint offloadView(JNIEnv* env, Class, jobject image, jobject y, jobject u, jobject v, jobject out) {
  tally_image frame{};
  auto* cells = Span(env, out).as<uint8_t>(0, size_t{TALLY_VIEW_ROWS} * TALLY_VIEW_COLUMNS);
  if (!read_image(env, image, {y, u, v}, &frame)) return TALLY_INVALID_ARGUMENT;
  return tally_offload_view(&frame, cells);
}

// out: tally_decision.
jint offloadSkip(JNIEnv* env, Class, jlong offload, jdouble difference, jobject out) {
  return tally_offload_skip(pointer<tally_offload>(offload), difference,
                            Span(env, out).as<tally_decision>(0));
}

// facts: tally_offload_facts, whose size is set here; out: tally_decision.
jint offloadDecide(JNIEnv* env, Class, jlong offload, jobject facts, jobject out) {
  auto* given = Span(env, facts).as<tally_offload_facts>(0);
  auto* decision = Span(env, out).as<tally_decision>(0);
  if (given == nullptr || decision == nullptr) return TALLY_INVALID_ARGUMENT;
  given->struct_size = sizeof *given;
  return tally_offload_decide(pointer<tally_offload>(offload), given, decision);
}

jint offloadComputed(JNIEnv*, Class, jlong offload, jdouble seconds) {
  return tally_offload_computed(pointer<tally_offload>(offload), seconds);
}

jint offloadLocal(JNIEnv* env, Class, jlong offload, jobject out) {
  return tally_offload_local(pointer<tally_offload>(offload), Span(env, out).as<tally_average>(0));
}

// ---- the link ----------------------------------------------------------------------------------

jint linkCreate(JNIEnv* env, Class, jobject out) {
  return make(tally_link_create, defaults(tally_link_defaults), Span(env, out));
}

void linkDestroy(JNIEnv*, Class, jlong link) { tally_link_destroy(pointer<tally_link>(link)); }

jint linkWelcomed(JNIEnv*, Class, jlong link, jdouble seconds) {
  return tally_link_welcomed(pointer<tally_link>(link), seconds);
}

jint linkSent(JNIEnv*, Class, jlong link, jlong sequence, jlong bytes, jdouble now) {
  return tally_link_sent(pointer<tally_link>(link), sequence, bytes, now);
}

jint linkAnswered(JNIEnv*, Class, jlong link, jlong sequence, jdouble server_s, jdouble now) {
  return tally_link_answered(pointer<tally_link>(link), sequence, server_s, now);
}

jint linkLost(JNIEnv*, Class, jlong link) { return tally_link_lost(pointer<tally_link>(link)); }

jint linkExpected(JNIEnv* env, Class, jlong link, jlong bytes, jdouble now, jobject out) {
  return tally_link_expected(pointer<tally_link>(link), bytes, now, Span(env, out).as<double>(0));
}

jint linkState(JNIEnv* env, Class, jlong link, jdouble now, jobject out) {
  auto* state = Span(env, out).as<tally_link_state>(0);
  if (state == nullptr) return TALLY_INVALID_ARGUMENT;
  state->struct_size = sizeof *state;
  return tally_link_get_state(pointer<tally_link>(link), now, state);
}

// ---- how long a file may wait ------------------------------------------------------------------

jint waitingCreate(JNIEnv* env, Class, jint engines, jobject out) {
  auto options = defaults(tally_waiting_defaults);
  options.engines = engines;
  return make(tally_waiting_create, options, Span(env, out));
}

void waitingDestroy(JNIEnv*, Class, jlong waiting) {
  tally_waiting_destroy(pointer<tally_waiting>(waiting));
}

jint waitingStart(JNIEnv*, Class, jlong waiting, jdouble now) {
  return tally_waiting_start(pointer<tally_waiting>(waiting), now);
}

jint waitingWait(JNIEnv*, Class, jlong waiting, jdouble now, jint change) {
  return tally_waiting_wait(pointer<tally_waiting>(waiting), now, change);
}

jint waitingCompute(JNIEnv*, Class, jlong waiting, jdouble now, jint change) {
  return tally_waiting_compute(pointer<tally_waiting>(waiting), now, change);
}

jint waitingSaved(JNIEnv*, Class, jlong waiting, jdouble seconds) {
  return tally_waiting_saved(pointer<tally_waiting>(waiting), seconds);
}

jint waitingLeft(JNIEnv* env, Class, jlong waiting, jdouble now, jobject out) {
  return tally_waiting_left(pointer<tally_waiting>(waiting), now, Span(env, out).as<double>(0));
}

// ---- answers that came too late ----------------------------------------------------------------

jint lateCreate(JNIEnv* env, Class, jobject out) {
  return make(tally_late_create, defaults(tally_late_defaults), Span(env, out));
}

void lateDestroy(JNIEnv*, Class, jlong late) { tally_late_destroy(pointer<tally_late>(late)); }

jint lateNote(JNIEnv* env, Class, jlong late, jobject detections, jint count, jdouble now) {
  return tally_late_note(pointer<tally_late>(late), rows(Span(env, detections), count), count, now);
}

// The number of detections whose class was changed, in place; a negative status on a failure.
jint lateApply(JNIEnv* env, Class, jlong late, jobject detections, jint count, jdouble now) {
  int32_t changed = 0;
  const int32_t status = tally_late_apply(pointer<tally_late>(late),
                                          rows(Span(env, detections), count), count, now, &changed);
  return status == TALLY_OK ? changed : -status;
}

const JNINativeMethod kFunctions[] = {
    FUNCTION(offloadReward, "(" BUFFER "I" BUFFER ")I"),
    FUNCTION(offloadStaticReason, "(IJJDD)I"),
    FUNCTION(offloadCreate, "(ID" BUFFER ")I"),
    FUNCTION(offloadDestroy, "(J)V"),
    FUNCTION(offloadView, "(" FRAME BUFFER ")I"),
    FUNCTION(offloadSkip, "(JD" BUFFER ")I"),
    FUNCTION(offloadDecide, "(J" BUFFER BUFFER ")I"),
    FUNCTION(offloadComputed, "(JD)I"),
    FUNCTION(offloadLocal, "(J" BUFFER ")I"),
    FUNCTION(linkCreate, "(" BUFFER ")I"),
    FUNCTION(linkDestroy, "(J)V"),
    FUNCTION(linkWelcomed, "(JD)I"),
    FUNCTION(linkSent, "(JJJD)I"),
    FUNCTION(linkAnswered, "(JJDD)I"),
    FUNCTION(linkLost, "(J)I"),
    FUNCTION(linkExpected, "(JJD" BUFFER ")I"),
    FUNCTION(linkState, "(JD" BUFFER ")I"),
    FUNCTION(waitingCreate, "(I" BUFFER ")I"),
    FUNCTION(waitingDestroy, "(J)V"),
    FUNCTION(waitingStart, "(JD)I"),
    FUNCTION(waitingWait, "(JDI)I"),
    FUNCTION(waitingCompute, "(JDI)I"),
    FUNCTION(waitingSaved, "(JD)I"),
    FUNCTION(waitingLeft, "(JD" BUFFER ")I"),
    FUNCTION(lateCreate, "(" BUFFER ")I"),
    FUNCTION(lateDestroy, "(J)V"),
    FUNCTION(lateNote, "(J" BUFFER "ID)I"),
    FUNCTION(lateApply, "(J" BUFFER "ID)I"),
};

}  // namespace

Table offload_functions() { return {kFunctions, sizeof kFunctions / sizeof *kFunctions}; }

}  // namespace tally::jni
