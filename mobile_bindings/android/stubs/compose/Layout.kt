// Of androidx.compose.foundation:foundation-layout 1.7; parameters that the sample leaves out are missing.
package androidx.compose.foundation.layout

import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.unit.Dp

public interface ColumnScope

@Composable
public fun Column(modifier: Modifier = Modifier, content: @Composable ColumnScope.() -> Unit): Unit =
    throw UnsupportedOperationException("$modifier $content")

public fun Modifier.padding(all: Dp): Modifier = throw UnsupportedOperationException("$this $all")

public fun Modifier.safeDrawingPadding(): Modifier = throw UnsupportedOperationException("$this")
