// Version, and the words for statuses, reasons and kinds of events.
#include "functions.h"
#include "memory.h"
#include "tally_engine.h"

namespace tally::jni {
namespace {

jstring version(JNIEnv* env, Class) { return text(env, tally_version()); }

jstring statusText(JNIEnv* env, Class, jint status) {
  return text(env, tally_engine_status_text(status));
}

jstring reasonName(JNIEnv* env, Class, jint reason) { return text(env, tally_reason_name(reason)); }

jstring reasonText(JNIEnv* env, Class, jint reason) { return text(env, tally_reason_text(reason)); }

jstring eventKindName(JNIEnv* env, Class, jint kind) {
  return text(env, tally_event_kind_name(kind));
}

const JNINativeMethod kFunctions[] = {
    FUNCTION(version, "()" STRING),        FUNCTION(statusText, "(I)" STRING),
    FUNCTION(reasonName, "(I)" STRING),    FUNCTION(reasonText, "(I)" STRING),
    FUNCTION(eventKindName, "(I)" STRING),
};

}  // namespace

Table word_functions() { return {kFunctions, sizeof kFunctions / sizeof *kFunctions}; }

}  // namespace tally::jni
