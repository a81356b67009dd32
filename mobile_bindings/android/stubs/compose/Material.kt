// Of androidx.compose.material3:material3 1.3; parameters that the sample leaves out are missing.
package androidx.compose.material3

import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier

@Composable
public fun Text(text: String, modifier: Modifier = Modifier): Unit = throw UnsupportedOperationException("$text $modifier")
