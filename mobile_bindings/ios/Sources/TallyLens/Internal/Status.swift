import CTally

/// Throws the error of a status unless it is OK; `text` is that of the handle.
func check(_ status: tally_status, _ text: UnsafePointer<CChar>?) throws(TallyLensError) {
    if status != TALLY_OK { throw failure(status, text) }
}

/// The error of a status.
func failure(_ status: tally_status, _ text: UnsafePointer<CChar>?) -> TallyLensError {
    let code = Int32(status.rawValue)
    var problem = text.map { String(cString: $0) } ?? ""
    if problem.isEmpty {
        problem = tally_status_text(code).map { String(cString: $0) } ?? "status \(code)"
    }
    switch status {
    case TALLY_INVALID_ARGUMENT:
        return .usage(problem, "Change the option, the region or the frame")
    case TALLY_BAD_STATE:
        return TallyLensError(
            .state, problem, "Start a new count, or use the options that it was saved with")
    case TALLY_BAD_MODEL:
        return TallyLensError(.model, problem, "Copy or convert it again")
    case TALLY_UNSUPPORTED_MODEL:
        return TallyLensError(
            .unsupportedModel, problem,
            "Convert the checkpoint (.pt or .onnx) that it was made from with tallylens convert")
    default:
        return .fault(problem)
    }
}

/// Makes a handle; a refusal is told in the core's words.
func create(
    _ make: (UnsafeMutablePointer<CChar>, Int) -> tally_status
) throws(TallyLensError) {
    let capacity = 512
    let text = UnsafeMutablePointer<CChar>.allocate(capacity: capacity)
    defer { text.deallocate() }
    text[0] = 0
    try check(make(text, capacity), text)
}
