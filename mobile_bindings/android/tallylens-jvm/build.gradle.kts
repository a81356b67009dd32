// The sources of the core again, for desktop JVMs: the core itself is an Android library.
plugins {
    alias(libs.plugins.kotlin.jvm)
}

sourceSets.main { kotlin.srcDir("../tallylens-core/src/main/kotlin") }
sourceSets.test { kotlin.srcDir("../tallylens-core/src/test/kotlin") }

kotlin { explicitApi() }

dependencies {
    implementation(libs.coroutines)
    implementation(libs.serialization)
    testImplementation(libs.junit)
}
