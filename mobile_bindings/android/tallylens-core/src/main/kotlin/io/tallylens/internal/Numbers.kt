package io.tallylens.internal

import java.math.BigDecimal
import java.math.MathContext
import java.math.RoundingMode

private const val SIGNIFICANT = 6
private val PLAIN_EXPONENTS = -4 until SIGNIFICANT

/** `value` with six significant digits at most, as `%g` of C and Python prints it. */
internal fun formatG(value: Double): String {
    if (value.isNaN()) return "nan"
    if (value.isInfinite()) return if (value > 0) "inf" else "-inf"
    if (value == 0.0) return "0"
    val rounded = BigDecimal(value).round(MathContext(SIGNIFICANT, RoundingMode.HALF_EVEN))
    val exponent = rounded.precision() - rounded.scale() - 1
    val stripped = rounded.stripTrailingZeros()
    if (exponent in PLAIN_EXPONENTS) return stripped.toPlainString()
    val digits = stripped.movePointLeft(exponent).toPlainString()
    val sign = if (exponent < 0) "-" else "+"
    return "${digits}e$sign${Math.abs(exponent).toString().padStart(2, '0')}"
}

/** `value` rounded to `digits` decimals as Python's `round` does: half to even, of the exact value. */
internal fun rounded(value: Double, digits: Int = 3): Double =
    BigDecimal(value).setScale(digits, RoundingMode.HALF_EVEN).toDouble()

/** `value` with `digits` decimals as text. */
internal fun fixed(value: Double, digits: Int): String =
    BigDecimal(value).setScale(digits, RoundingMode.HALF_EVEN).toPlainString()
