/// Seconds of a clock that also runs while the device sleeps.
enum MonotonicClock {
    private static let origin = ContinuousClock.now

    static var now: Double { origin.duration(to: .now).seconds }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
