import Foundation

/// `value` with six significant digits at most, as `%g` of C and Python prints it.
func formatG(_ value: Double) -> String { String(format: "%g", value) }

/// `value` with `digits` decimals as text.
func fixed(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

/// `value` rounded to `digits` decimals as Python's `round` does: half to even, of the exact value.
func rounded(_ value: Double, _ digits: Int = 3) -> Double { Double(fixed(value, digits))! }
