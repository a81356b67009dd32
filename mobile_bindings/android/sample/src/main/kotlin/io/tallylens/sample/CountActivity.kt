package io.tallylens.sample

import android.Manifest
import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.activity.result.contract.ActivityResultContracts
import androidx.camera.core.CameraSelector
import androidx.camera.lifecycle.ProcessCameraProvider
import androidx.core.content.ContextCompat
import io.tallylens.Counter
import io.tallylens.CounterOptions
import io.tallylens.Line
import io.tallylens.RunningMode
import io.tallylens.android.CountAnalyzer
import io.tallylens.android.CounterLifecycle
import io.tallylens.android.loadModel
import java.util.concurrent.Executors

/** Counts what crosses the middle of the frame. */
public class CountActivity : ComponentActivity() {
    private lateinit var counter: Counter

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        val options = CounterOptions.Builder()
            .runningMode(RunningMode.LIVE_STREAM)
            .lines(Line(0f, 0.5f, 1f, 0.5f, "middle"))
            .build()
        counter = Counter.create(assets.loadModel("tallylens-demo-int8.tflite"), options)
        CounterLifecycle.bind(counter, this, this, "sample")
        setContent { CountScreen(counter) }
        val asked = registerForActivityResult(ActivityResultContracts.RequestPermission()) { if (it) start() }
        asked.launch(Manifest.permission.CAMERA)
    }

    private fun start() {
        val analysis = CountAnalyzer.imageAnalysis()
        analysis.setAnalyzer(Executors.newSingleThreadExecutor(), CountAnalyzer(counter))
        val camera = ProcessCameraProvider.getInstance(this)
        val bind = Runnable { camera.get().bindToLifecycle(this, CameraSelector.DEFAULT_BACK_CAMERA, analysis) }
        camera.addListener(bind, ContextCompat.getMainExecutor(this))
    }
}
