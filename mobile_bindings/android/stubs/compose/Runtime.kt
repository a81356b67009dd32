// Of androidx.compose.runtime:runtime 1.7.
package androidx.compose.runtime

import kotlin.coroutines.CoroutineContext
import kotlin.coroutines.EmptyCoroutineContext
import kotlin.reflect.KProperty
import kotlinx.coroutines.flow.StateFlow

@Target(AnnotationTarget.FUNCTION, AnnotationTarget.TYPE, AnnotationTarget.TYPE_PARAMETER, AnnotationTarget.PROPERTY_GETTER)
public annotation class Composable

public abstract class CompositionContext internal constructor()

public interface State<out T> {
    public val value: T
}

public operator fun <T> State<T>.getValue(thisObj: Any?, property: KProperty<*>): T = value

@Composable
public fun <T> StateFlow<T>.collectAsState(context: CoroutineContext = EmptyCoroutineContext): State<T> =
    throw UnsupportedOperationException("$context")
