// Of androidx.compose.ui:ui 1.7.
package androidx.compose.ui

public interface Modifier {
    public companion object : Modifier
}
