# العربية

refused-wrong-shape = صيغة الطلب غير صحيحة
refused-validation-error = الطلب يخالف إحدى القواعد
refused-slot-mismatch = الطبيب أو العيادة لا يخصّان هذا الموعد
refused-idempotency-mismatch = استُخدم مفتاح منع التكرار هذا مع طلب آخر
refused-method-not-allowed = طريقة الطلب غير مسموح بها
refused-unsupported-media-type = نوع المحتوى غير مدعوم
refused-request-timeout = استغرق وصول الطلب وقتًا طويلًا
refused-unauthorized = يجب تسجيل الدخول
refused-invalid-credentials = البريد الإلكتروني أو رقم الهاتف أو كلمة المرور غير صحيحة
refused-account-deactivated = الحساب معطّل
refused-csrf-failed = الطلب لا يأتي من صفحة مسموح بها
refused-forbidden = ليس لديك إذن للقيام بذلك
refused-patient-inactive = حساب المريض معطّل
refused-not-found = غير موجود
refused-email-already-exists = هذا البريد الإلكتروني مسجّل من قبل
refused-phone-already-exists = رقم الهاتف هذا مسجّل من قبل
refused-licence-taken = رقم الترخيص هذا مسجّل من قبل
refused-doctor-exists = لهذا المستخدم ملف طبيب من قبل
refused-slot-overlap = لدى الطبيب موعد متاح آخر في هذا الوقت
refused-slot-has-bookings = على هذا الموعد حجوزات قائمة
refused-slot-inactive = هذا الموعد غير متاح
refused-slot-past = هذا الموعد قد مضى
refused-slot-full = هذا الموعد محجوز بالفعل
refused-doctor-on-leave = الطبيب غير متاح في هذا الوقت
refused-time-has-bookings = توجد حجوزات قائمة في هذا الوقت
refused-daily-limit-reached = اكتمل عدد مرضى الطبيب في هذا اليوم
refused-duplicate-booking = لقد حجزت هذا الموعد من قبل
refused-patient-overlap = لدى المريض موعد آخر في هذا الوقت
refused-illegal-transition = حالة الموعد لا تسمح بذلك
refused-version-conflict = غيّره شخص آخر في هذه الأثناء
refused-own-account = لا يمكنك تعطيل حسابك
refused-gone = لم يعد محفوظًا
refused-rate-limited = عدد الطلبات كبير جدًا
refused-payload-too-large = محتوى الطلب كبير جدًا
refused-unavailable = الخدمة غير متاحة مؤقتًا
refused-audit-broken = سجل التدقيق لا يطابق نقاطه الموقّعة
refused-storage-full = لا توجد مساحة كافية للتخزين
refused-internal-error = خطأ داخلي

# نصوص واجهة المنصّة
booked-duplicate = هذا المريض حجز هذا الموعد من قبل
booked-full = هذا الوقت محجوز بالفعل
booked-overlap = لدى المريض موعد آخر محجوز في هذا الوقت
booked-day = اكتملت حجوزات الطبيب في هذا اليوم
blocked-leave = الطبيب غير متاح في هذا الوقت
blocked-inactive = هذا الوقت لم يعد متاحًا للحجز
blocked-past = هذا الوقت قد مضى

# ما لم يُعثر عليه
missing-user = المستخدم غير موجود
missing-patient = المريض غير موجود
missing-doctor = الطبيب غير موجود
missing-clinic = العيادة غير موجودة
missing-slot = الموعد المتاح غير موجود
missing-appointment = الموعد غير موجود
missing-block = الوقت المحجوب غير موجود

# حالات الموعد
illegal-from = الموعد {$status}، وهذا لا يسمح بذلك
status-pending = قيد الانتظار
status-confirmed = مؤكَّد
status-rejected = مرفوض
status-cancelled = ملغى
status-in-progress = جارٍ الآن
status-completed = مكتمل
status-no-show = لم يحضره المريض

# ما الخطأ في الحقل
wrong-field = {$field}: {$reason}
reason-other = القيمة غير مقبولة
reason-required = مطلوب
reason-blank = يجب ألا يكون فارغًا
reason-not-valid = غير صالح
reason-email = يجب أن يكون بريدًا إلكترونيًا
reason-phone = يجب أن يكون رقم هاتف من 5 إلى 20 رقمًا
reason-password-short = يجب ألا يقل عن 8 أحرف
reason-id = يجب أن يكون عددًا صحيحًا موجبًا
reason-past = يجب أن يكون في الماضي
reason-over = يجب ألا يكون قد انتهى
reason-email-or-phone = أو رقم هاتف مطلوب
reason-current-password = ليست كلمة مرورك
reason-outside-hours = خارج ساعات عمل الطبيب
reason-clinic-zone = يجب أن تكون المنطقة الزمنية للعيادة
reason-after-start = يجب أن يكون بعد وقت البداية
reason-before-from = يجب ألا يسبق تاريخ البداية
reason-doctor-not-found = الطبيب غير موجود

# ما تمّ
done-registered = تم إنشاء الحساب بنجاح
done-logged-in = تم تسجيل الدخول بنجاح
done-refreshed = تم تجديد الجلسة
done-logged-out = تم تسجيل الخروج بنجاح
done-password-changed = تم تغيير كلمة المرور بنجاح
done-csrf = تم إصدار الرمز
done-profile = تم جلب الملف الشخصي بنجاح
done-profile-updated = تم تحديث الملف الشخصي بنجاح
done-doctors = تم جلب قائمة الأطباء بنجاح
done-doctor = تم جلب بيانات الطبيب بنجاح
done-specialties = تم جلب التخصصات بنجاح
done-free-times = تم جلب الأوقات المتاحة بنجاح
done-appointments = تم جلب المواعيد بنجاح
done-appointment = تم جلب الموعد بنجاح
done-booked = تم حجز الموعد بنجاح
done-appointment-updated = تم تحديث الموعد بنجاح
done-cancelled = تم إلغاء الموعد بنجاح
done-rescheduled = تم تغيير موعد الحجز بنجاح
done-schedule = تم جلب جدول العمل بنجاح
done-schedule-updated = تم تحديث جدول العمل بنجاح
done-blocked = تم حجب الوقت بنجاح
done-unblocked = تم إلغاء حجب الوقت بنجاح
