package io.tallylens.sample

import androidx.test.platform.app.InstrumentationRegistry
import io.tallylens.Counter
import io.tallylens.CounterOptions
import io.tallylens.Frame
import io.tallylens.RunningMode
import io.tallylens.android.loadModel
import java.nio.ByteBuffer
import org.junit.Assert.assertEquals
import org.junit.Test

/** On a device or emulator: the library loads, LiteRT is found, and an empty image has no objects. */
public class DeviceTest {
    @Test
    public fun anEmptyImageHasNoObjects() {
        val context = InstrumentationRegistry.getInstrumentation().targetContext
        val model = context.assets.loadModel("tallylens-demo-int8.tflite")
        val options = CounterOptions.Builder().runningMode(RunningMode.IMAGE).build()
        Counter.create(model, options).use { counter ->
            val gray = ByteBuffer.allocateDirect(4 * 640 * 360)
            assertEquals(emptyList<Any>(), counter.detect(Frame.rgba(gray, 640, 360)))
        }
    }
}
