plugins {
    alias(libs.plugins.application)
    alias(libs.plugins.kotlin.android)
    alias(libs.plugins.kotlin.compose)
}

android {
    namespace = "io.tallylens.sample"
    compileSdk = 36
    defaultConfig {
        applicationId = "io.tallylens.sample"
        minSdk = 24
        targetSdk = 36
        versionCode = 1
        versionName = "1.0"
        testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"
    }
    // The demo model, until you put your own into src/main/assets.
    sourceSets["main"].assets.srcDir("../../../sdk/built_in")
    buildFeatures { compose = true }
    buildTypes { getByName("release") { isMinifyEnabled = true } }
}

dependencies {
    implementation(project(":tallylens-android"))
    implementation(libs.litert)
    implementation(libs.camera.camera2)
    implementation(libs.camera.lifecycle)
    implementation(libs.activity.compose)
    implementation(platform(libs.compose.bom))
    implementation(libs.compose.material3)
    androidTestImplementation("androidx.test:runner:1.6.2")
    androidTestImplementation(libs.junit)
}
