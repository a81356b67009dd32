// Reasons of decisions: names for programs, and the words that reports show.
#include "exact_floats.h"

#include "tally.h"

namespace {

struct ReasonWords {
  tally_reason reason;
  const char* name;
  const char* text;
};

constexpr ReasonWords kReasons[] = {
    {TALLY_REASON_NONE, "none", "no reason"},
    {TALLY_REASON_OVER_BUDGET, "over_budget", "over the budget"},
    {TALLY_REASON_UNDER_BUDGET, "under_budget", "well under the budget"},
    {TALLY_REASON_WARM, "warm", "the device is warm"},
    {TALLY_REASON_HOT, "hot", "the device is hot"},
    {TALLY_REASON_TOO_HOT, "too_hot", "the device is too hot"},
    {TALLY_REASON_HEADROOM, "headroom", "the device will soon be warm"},
    {TALLY_REASON_COOLER, "cooler", "the device is cooler"},
    {TALLY_REASON_RATE, "rate", "more than the rate in force"},
    {TALLY_REASON_NEVER, "never", "never asked for"},
    {TALLY_REASON_NO_CONNECTION, "no_connection", "no connection"},
    {TALLY_REASON_SILENT, "silent", "the server is silent"},
    {TALLY_REASON_NO_CREDIT, "no_credit", "no credit"},
    {TALLY_REASON_NO_QUOTA, "no_quota", "no quota"},
    {TALLY_REASON_MEASURING, "measuring", "the link is being measured"},
    {TALLY_REASON_TOO_LATE, "too_late", "too late for the deadline"},
    {TALLY_REASON_ALWAYS, "always", "always asked for"},
    {TALLY_REASON_FILE_LATER, "file_later", "the file would end later"},
    {TALLY_REASON_LINK_SHARE, "link_share", "the link has done its share"},
    {TALLY_REASON_WORTH_IT, "worth_it", "worth it"},
    {TALLY_REASON_NOT_WORTH_IT, "not_worth_it", "not worth it"},
    {TALLY_REASON_UNCHANGED, "unchanged", "nothing changed"},
    {TALLY_REASON_TOO_BIG, "too_big", "the model does not fit this device"},
    {TALLY_REASON_FILE_SOONER, "file_sooner", "the file is done sooner there"},
    {TALLY_REASON_NO_ANSWER, "no_answer", "no answer in time"},
};

const ReasonWords* words_of(int32_t reason) {
  for (const ReasonWords& words : kReasons)
    if (words.reason == reason) return &words;
  return nullptr;
}

}  // namespace

const char* tally_reason_name(int32_t reason) {
  const ReasonWords* words = words_of(reason);
  return words == nullptr ? nullptr : words->name;
}

const char* tally_reason_text(int32_t reason) {
  const ReasonWords* words = words_of(reason);
  return words == nullptr ? nullptr : words->text;
}
