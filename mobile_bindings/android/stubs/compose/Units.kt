// Of androidx.compose.ui:ui-unit 1.7.
package androidx.compose.ui.unit

@JvmInline
public value class Dp(public val value: Float)

public inline val Int.dp: Dp get() = Dp(value = this.toFloat())
